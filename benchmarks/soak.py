"""A long stream, as fast as it goes: does memory grow, do samples drift, does the output stay what it was?

    python benchmarks/soak.py [--minutes 60] [--profile quality] [--rate 48000]

The audio is examples/noisy.flac over and over, at a level and with a pause that change from turn to turn, in blocks of
changing size. Every minute of audio: resident memory and the largest state. In the end the last minutes are streamed
once more through a new Enhancer, and both outputs compared after a time to settle.

Exit code 1 if samples were lost or added, a sample or state is not finite, or memory grows by more than 1 MB an hour.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import command
import numpy as np
import psutil
import soundfile
import soxr
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

import pse_sdk as sdk
from pse_sdk.load import Clocks

NOISY = Path(__file__).parent.parent / "examples" / "noisy.flac"
# The first minutes fill caches and buffers; growth is measured after them.
SETTLED = 0.2
COMPARED_S = 60
LARGEST_GROWTH = 1.0  # MB an hour
# Clocks that stand still: the depth then depends on the audio alone, and the last minutes can be repeated exactly.
STILL = Clocks(lambda: 0.0, lambda: 0.0)


def main(
    minutes: Annotated[int, typer.Option(min=5, help="Of audio.")] = 60,
    profile: Annotated[str, typer.Option()] = "balanced",
    rate: Annotated[int, typer.Option()] = 48000,
    model: Annotated[str | None, typer.Option()] = None,
    settle: Annotated[int, typer.Option(min=0, help="Seconds until both outputs are compared.")] = 60,
) -> None:
    """Stream, measure, compare."""
    enhancer = sdk.Enhancer(profile, model=model, sample_rate=rate, clocks=STILL)
    kept = COMPARED_S + settle
    rows = []
    last = np.ones(kept * rate, np.float32)  # written to now, so that it counts from the start
    keep_from = 60 * minutes * rate - len(last)
    started, cpu = time.perf_counter(), time.process_time()
    sent = received = 0
    finite = True
    for minute in track(range(minutes), "streaming", transient=True):
        for block in _audio(minute, rate):
            out = enhancer.process(block)
            if received >= keep_from:
                last[received - keep_from :][: len(out)] = out
            sent, received = sent + len(block), received + len(out)
            finite &= bool(np.isfinite(out).all())
        rows.append((minute + 1, _resident_mb(), *_largest_states(enhancer)))
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    growth = _growth(rows)
    difference = _difference(last, minutes, kept, sdk.Enhancer(profile, model=model, sample_rate=rate,
                                                                              clocks=STILL), rate)  # fmt: skip
    _report(rows, minutes, wall, cpu, growth, difference, enhancer.stats())
    print(f"samples in {sent}, out {received}; all finite: {finite}")
    bounded = all(np.isfinite(row[2:]).all() for row in rows)
    sys.exit(not (sent == received and finite and bounded and growth < LARGEST_GROWTH))


def _audio(minute: int, rate: int) -> Iterator[np.ndarray]:
    """One minute in blocks of 1 to 40 ms, the same for the same number."""
    rng = np.random.default_rng([minute, rate])
    noisy, file_rate = soundfile.read(NOISY, dtype="float32")
    noisy = soxr.resample(noisy, file_rate, rate) if file_rate != rate else noisy
    parts: list[np.ndarray] = []
    while sum(map(len, parts)) < 60 * rate:
        faint = 1e-4 * rng.standard_normal(int(rng.uniform(0, 3) * rate))
        pause = faint if rng.random() < 0.5 else np.zeros(len(faint))
        parts += [noisy * 10 ** (rng.uniform(-20, 0) / 20), pause.astype(np.float32)]
    signal = np.concatenate(parts)[: 60 * rate].astype(np.float32)
    at = 0
    while at < len(signal):
        size = int(rng.integers(rate // 1000, rate // 25))
        yield signal[at : at + size]
        at += size


def _resident_mb() -> float:
    return psutil.Process().memory_info().rss / 1e6


def _largest_states(enhancer: sdk.Enhancer) -> tuple[float, float]:
    hidden, cell = enhancer._pipeline.stream.states()
    return float(np.abs(hidden).max()), float(np.abs(cell).max())


def _growth(rows: list[tuple[float, ...]]) -> float:
    """MB per hour of audio: the slope of a line through the readings after the first fifth."""
    settled = rows[int(len(rows) * SETTLED) :]
    return 60 * float(np.polyfit([row[0] for row in settled], [row[1] for row in settled], 1)[0])


def _difference(last: np.ndarray, minutes: int, kept: int, fresh: sdk.Enhancer, rate: int) -> float:
    """The last minute of the long stream against that of a new stream begun before it: error in dB of the signal."""
    first = minutes - -(-kept // 60)
    again = [fresh.process(block) for minute in range(first, minutes) for block in _audio(minute, rate)]
    new = np.concatenate(again)[-COMPARED_S * rate :]
    old = last[-COMPARED_S * rate :]
    return float(10 * np.log10(np.sum((new - old) ** 2) / np.sum(new**2) + 1e-30))


def _report(
    rows: list[tuple[float, ...]], minutes: int, wall: float, cpu: float, growth: float, difference: float,
    stats: sdk.Stats,
) -> None:  # fmt: skip
    table = Table("minute", "resident MB", "largest hidden state", "largest cell state")
    for row in rows[:: max(1, len(rows) // 12)]:
        table.add_row(f"{row[0]}", f"{row[1]:.1f}", f"{row[2]:.2f}", f"{row[3]:.1f}")
    Console().print(table)
    print(f"{minutes} min of audio in {wall:.0f} s ({60 * minutes / wall:.0f}x real time), {cpu:.0f} s of CPU time")
    print(
        f"mean depth {stats.mean_depth:.2f}, resting {stats.resting_frames / stats.frames:.0%}, faults {stats.faults}"
    )
    print(f"memory grows by {growth:+.2f} MB per hour of audio")
    print(f"last minute against a new stream: error {difference:.1f} dB")


if __name__ == "__main__":
    command.run(main)
