"""What came out of ``pse live``, compared with ``pse enhance --cold-start`` of what went in: lag, likeness, drop-outs.

    python benchmarks/live_check.py PLAYED.wav HEARD.wav [--depth 5]

docs/live.md has the commands that make HEARD.wav without a sound card. The model hears frames of 10 ms, and a live
stream cuts its frames elsewhere than the file does, which alone makes outputs that differ by about -18 dB: the file is
enhanced with every offset of the frames, and the nearest output taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import command
import numpy as np
import soundfile
import typer
from rich.progress import track

import pse_sdk as sdk
from pse_sdk.errors import UsageError
from pse_sdk.evaluation.metrics import si_sdr

PIECE_S = 0.5
LOUD = 1e-3
ALIKE = 0.9


def main(
    played: Annotated[Path, typer.Argument()],
    heard: Annotated[Path, typer.Argument()],
    depth: Annotated[int, typer.Option()] = 5,
    step: Annotated[int, typer.Option(help="Samples between the offsets that are tried.")] = 8,
) -> None:
    """Print what was found."""
    noisy, rate = soundfile.read(played, dtype="float32")
    recorded, recorded_rate = soundfile.read(heard, dtype="float32")
    if rate != recorded_rate:
        raise UsageError(f"{played} has {rate} Hz and {heard} {recorded_rate} Hz: record at the rate of what is played")
    if noisy.ndim > 1 or recorded.ndim > 1 or len(recorded) < len(noisy):
        raise UsageError(f"{played}, {heard}: must have one channel, and {heard} must be as long or longer")
    enhancer = sdk.Enhancer(sample_rate=rate)
    enhancer.set_depth(depth)
    begin = _find(enhancer.enhance(noisy), recorded)
    output = recorded[begin : begin + len(noisy)]
    best, reference = max(
        (
            (si_sdr(output, enhanced), enhanced)
            for offset in track(range(0, rate // 100, step), transient=True)
            for enhanced in [enhancer.enhance(np.pad(noisy, (offset, 0)))[offset:][: len(output)]]
        ),
        key=lambda found: found[0],
    )
    print(f"SI-SDR against pse enhance --cold-start {best:.1f} dB, against the input {si_sdr(output, noisy):.1f} dB")
    print(f"correlation {np.corrcoef(output, reference)[0, 1]:.4f}")
    lags = _lags(reference, recorded, rate)
    if not lags:
        raise UsageError(f"{heard}: no half second in it is like what `pse enhance` makes of {played}")
    print(f"the lag moved by {1000 * (max(lags) - min(lags)) / rate:.2f} ms over {len(lags)} pieces")
    print(f"drop-outs of 10 ms and more: {_dropouts(output, reference, rate // 100)}")


def _find(reference: np.ndarray, recorded: np.ndarray) -> int:
    """Where the reference begins in the recording."""
    size = 1 << (len(recorded) + len(reference)).bit_length()
    likeness = np.fft.irfft(np.fft.rfft(recorded, size) * np.fft.rfft(reference, size).conj(), size)
    return int(np.argmax(likeness[: len(recorded) - len(reference) + 1]))


def _lags(reference: np.ndarray, recorded: np.ndarray, rate: int) -> list[int]:
    """The lag of each piece, where it is loud and alike enough to tell."""
    size, lags = int(PIECE_S * rate), []
    for start in range(0, len(reference) - size, size):
        piece = reference[start : start + size]
        lag = _find(piece, recorded) - start
        found = recorded[lag + start :][:size]
        if np.corrcoef(piece, found)[0, 1] > ALIKE:
            lags.append(lag)
    return lags


def _dropouts(output: np.ndarray, reference: np.ndarray, block: int) -> int:
    """Blocks that are all zeros where the reference is not silent."""
    whole = len(output) // block * block
    blocks, wanted = output[:whole].reshape(-1, block), reference[:whole].reshape(-1, block)
    return int(np.sum(~blocks.any(axis=1) & (np.sqrt(np.mean(wanted**2, axis=1)) > LOUD)))


if __name__ == "__main__":
    command.run(main)
