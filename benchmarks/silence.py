"""What pauses save, and what it costs: energy, onsets of speech and SI-SDR with rest in pauses against without.

    PSE_DATA=... python benchmarks/silence.py [--items 20] [--pause 6] [--rest-after 1]

Each recording is three utterances of held-out speakers with pauses before them, as long as ``--pause``: in ``noise``
recorded noise goes on through the pauses, in ``white`` white noise, in ``muted`` the microphone is switched off for the
middle of each. SNR 0 to 15 dB. Both streams run at the deepest depth in speech, whatever the machine is doing, and take
turns block by block, so that their CPU times compare. CPU time stands for energy: two streams in turns share one
meter, and at a steady clock a core uses energy in proportion to the time that it works. Needs the [train] extra.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import command
import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

import pse_sdk as sdk
from pse_sdk.depth_policy import DepthPolicy
from pse_sdk.evaluation.metrics import si_sdr
from pse_sdk.load import Clocks
from pse_sdk.training.data import SAMPLE_RATE, Clips, data_folder, load_clips

BLOCK = SAMPLE_RATE // 100
UTTERANCE = 2 * SAMPLE_RATE
LEVEL = 10 ** (-25 / 20)
ONSET = SAMPLE_RATE // 10
KINDS = ("noise", "white", "muted")
# Clocks that stand still: the controller then keeps the deepest depth, and what differs is the rest in pauses alone.
STILL = Clocks(lambda: 0.0, lambda: 0.0)


def main(
    items: Annotated[int, typer.Option(help="Recordings of each kind.")] = 20,
    pause: Annotated[float, typer.Option(help="Seconds before each utterance.")] = 6.0,
    rest_after: Annotated[float, typer.Option(help="The profile's rest_after_s.")] = 1.0,
    seed: Annotated[int, typer.Option(help="2026 drew recordings that the policy was chosen on.")] = 7,
    model: Annotated[str | None, typer.Option()] = None,
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA")] = None,
) -> None:
    """Print one row per kind of pause."""
    folder = data_folder(data)
    speech, noise = (load_clips(folder, kind, "valid") for kind in ("speech", "noise"))
    table = Table(
        "pauses", "CPU s per s of audio: without", "with", "energy saved", "frames resting", "onset level: median",
        "worst tenth", "onset SI-SDR", "SI-SDR of 1.5 s", "noise left",
        title=f"With rest after {rest_after:g} s against without; pauses of {pause:g} s",
    )  # fmt: skip
    for kind in KINDS:
        rows = []
        for i in track(range(items), kind, transient=True):
            rng = np.random.default_rng([seed, i])
            noisy, target, onsets = recording(rng, speech, noise, int(pause * SAMPLE_RATE), kind)
            rows.append(_compare(noisy, target, onsets, rest_after, model))
        always, rested, resting = (np.mean([row[key] for row in rows]) for key in ("always", "rested", "resting"))
        levels, onsets, gains, left = (
            np.concatenate([row[key] for row in rows]) for key in ("onset", "onset_si_sdr", "si_sdr", "left")
        )
        table.add_row(
            kind, f"{always:.4f}", f"{rested:.4f}", f"{1 - rested / always:.0%}", f"{resting:.0%}",
            f"{np.median(levels):+.2f}", f"{np.quantile(levels, 0.1):+.2f}", f"{np.mean(onsets):+.2f}",
            f"{np.mean(gains):+.2f}", f"{np.mean(left):+.1f}",
        )  # fmt: skip
    Console(width=130).print(table)
    print("energy saved: 1 less the ratio of CPU times; onset: the first 100 ms, level the target's part in them;")
    print("SI-SDR: mean difference; noise left: level in the pauses; all in dB, with rest against without")


def recording(
    rng: np.random.Generator, speech: Clips, noise: Clips, pause: int, kind: str
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """A noisy recording, its speech, and where the utterances begin."""
    clips = [clip for clip in speech.clips if clip.length > 1.5 * UTTERANCE]
    parts: list[np.ndarray] = []
    onsets = []
    for _ in range(3):
        onsets.append(sum(map(len, parts)) + pause)
        parts += [np.zeros(pause, np.float32), _trimmed(speech.read(clips[rng.integers(len(clips))]))[:UTTERANCE]]
    target = np.concatenate([*parts, np.zeros(BLOCK, np.float32)])
    snr = 10 ** (-rng.uniform(0, 15) / 20)
    noises = _white(rng, len(target)) if kind == "white" else _recorded(rng, noise, len(target))
    noisy = target + noises * np.float32(snr * LEVEL / np.sqrt(np.mean(noises**2)))
    if kind == "muted":
        for onset in onsets:  # switched on a tenth of a second before the speaker begins
            noisy[onset - pause + pause // 4 : onset - SAMPLE_RATE // 10] = 0
    return noisy.astype(np.float32), target, onsets


def _trimmed(samples: np.ndarray) -> np.ndarray:
    """From the first to the last 10 ms that are at most 35 dB below the loudest; at -25 dB of full scale."""
    power = np.convolve(samples**2, np.ones(BLOCK) / BLOCK, "same")
    loud = np.flatnonzero(power > power.max() * 10**-3.5)
    out = samples[loud[0] : loud[-1]]
    return (out * LEVEL / np.sqrt(np.mean(out**2))).astype(np.float32)


def _white(rng: np.random.Generator, length: int) -> np.ndarray:
    return rng.standard_normal(length, np.float32)


def _recorded(rng: np.random.Generator, noise: Clips, length: int) -> np.ndarray:
    pieces: list[np.ndarray] = []
    while (missing := length - sum(map(len, pieces))) > 0:
        pieces.append(noise.read(noise.clips[rng.integers(len(noise.clips))], 0, missing))
    return np.concatenate(pieces)


def _compare(
    noisy: np.ndarray, target: np.ndarray, onsets: list[int], rest_after: float, model: str | None
) -> dict[str, np.ndarray | float]:
    enhancers = [sdk.Enhancer(_profile(seconds), model=model, clocks=STILL) for seconds in (0.0, rest_after)]
    enhancers[0]._policy.__class__ = RunsOn
    outputs: list[list[np.ndarray]] = [[], []]
    cpu = [0.0, 0.0]
    for start in range(0, len(noisy), BLOCK):
        for i, enhancer in enumerate(enhancers):
            before = time.thread_time()
            outputs[i].append(enhancer.process(noisy[start : start + BLOCK]))
            cpu[i] += time.thread_time() - before
    always, rested = (
        np.concatenate([*out, enhancer.flush()])[enhancer.latency :]
        for out, enhancer in zip(outputs, enhancers, strict=True)
    )
    stats = enhancers[1].stats()
    onsets = onsets[1:]  # a pause at the very start is one of a model that never heard anything
    return {
        "always": cpu[0] * SAMPLE_RATE / len(noisy),
        "rested": cpu[1] * SAMPLE_RATE / len(noisy),
        "resting": stats.resting_frames / stats.frames,
        "onset": np.array([_part(rested, target, o) - _part(always, target, o) for o in onsets]),
        "onset_si_sdr": _gains(always, rested, target, onsets, ONSET),
        "si_sdr": _gains(always, rested, target, onsets, int(1.5 * SAMPLE_RATE)),
        "left": np.array([_level(rested, o) - _level(always, o) for o in onsets]),
    }


class RunsOn(DepthPolicy):
    """Leaves nothing out, not even digital silence, which no profile asks for."""

    rest = None  # type: ignore[assignment]


def _profile(rest_after_s: float) -> sdk.Profile:
    return sdk.Profile("benchmark", deadline_share=1.0, cpu_share=1.0, rest_after_s=rest_after_s)


def _part(output: np.ndarray, target: np.ndarray, onset: int) -> float:
    """How much of the target is in the first 100 ms of the output, dB; at least -40."""
    wanted = target[onset : onset + ONSET]
    share = output[onset : onset + ONSET] @ wanted / (wanted @ wanted)
    return float(20 * np.log10(max(share, 0.01)))


def _gains(always: np.ndarray, rested: np.ndarray, target: np.ndarray, onsets: list[int], length: int) -> np.ndarray:
    """SI-SDR of the ``length`` samples from each onset on, with rest less without."""

    def score(output: np.ndarray, window: slice) -> float:
        return si_sdr(output[window], target[window])

    windows = [slice(onset, onset + length) for onset in onsets]
    return np.array([score(rested, window) - score(always, window) for window in windows])


def _level(output: np.ndarray, onset: int) -> float:
    """Of the last second before an onset, dB of full scale; at least -100."""
    return float(10 * np.log10(np.mean(output[onset - SAMPLE_RATE : onset - BLOCK] ** 2) + 1e-10))


if __name__ == "__main__":
    command.run(main)
