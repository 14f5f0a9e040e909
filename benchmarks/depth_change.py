"""How a change of depth is heard: SI-SDR in the 200 ms after the new head speaks, against the shallower fixed depth.

    PSE_DATA=... python benchmarks/depth_change.py [--items 40] [--model NAME] [--output depth-change.json]

Every pair of depths, on held-out mixtures, changed after 2.5 s; and with a new random depth ten times a second and once
a second, over the whole mixture: SI-SDR and PESQ against the mean of the fixed depths. Needs the [train] and [eval]
extras.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import command
import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

import pse_sdk as sdk
from pse_sdk.depth_change import PINNED_WARM_UP
from pse_sdk.evaluation.metrics import si_sdr
from pse_sdk.evaluation.metrics.perceptual import pesq_wb
from pse_sdk.training.data import SAMPLE_RATE, data_folder
from pse_sdk.training.train import VALID, VALID_SEED, mixtures

CHANGE_AT = int(2.5 * SAMPLE_RATE)
AFTER = int(0.2 * SAMPLE_RATE)
BLOCK = SAMPLE_RATE // 100
# Blocks between random changes of depth.
EVERY = {"ten times a second": 10, "once a second": 100}
METRICS = ("si_sdr_db", "pesq")
Pairs = dict[tuple[int, int], list[float]]


def main(
    model: Annotated[str | None, typer.Option()] = None,
    items: Annotated[int, typer.Option()] = 40,
    output: Annotated[Path | None, typer.Option(help="Also write the figures as JSON.")] = None,
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA")] = None,
) -> None:
    """Print the table: rows from, columns to, SI-SDR after the change less that of the shallower fixed depth."""
    pairs = mixtures(data_folder(data), "valid", VALID, items, VALID_SEED)
    enhancer = sdk.Enhancer(model=model)
    depths = range(1, enhancer.max_depth + 1)
    rng = np.random.default_rng(0)
    gains: Pairs = {(a, b): [] for a in depths for b in depths if a != b}
    random: dict[str, list[dict[str, float]]] = {often: [] for often in EVERY}
    steps = []
    for noisy, target, *_ in track((pairs[i] for i in range(items)), "items", items, transient=True):
        fixed = {d: _run(enhancer, noisy, [d] * (len(noisy) // BLOCK)) for d in depths}
        steps.append(_change_once(enhancer, noisy, target, fixed, gains))
        means = [
            float(np.mean(scores)) for scores in zip(*(_scores(out, target) for out in fixed.values()), strict=True)
        ]
        for often, every in EVERY.items():
            blocks = len(noisy) // BLOCK
            schedule = np.repeat(rng.integers(1, enhancer.max_depth + 1, blocks // every + 1), every)[:blocks]
            scores = _scores(_run(enhancer, noisy, schedule.tolist()), target)
            random[often].append({m: s - float(mean) for m, s, mean in zip(METRICS, scores, means, strict=True)})
    _report(gains, random, max(steps), enhancer.max_depth)
    if output:
        by_pair = {f"{a} to {b}": float(np.median(values)) for (a, b), values in gains.items()}
        figures = {"model": enhancer.description.name, "items": items, "after_change_db": by_pair,
                   "largest_step": max(steps), "random_changes": random}  # fmt: skip
        output.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _change_once(
    enhancer: sdk.Enhancer, noisy: np.ndarray, target: np.ndarray, fixed: dict[int, np.ndarray], gains: Pairs
) -> float:
    """Add what each pair gained on this mixture; returns the largest sample step over that of the fixed depths."""
    steepest = max(np.abs(np.diff(output)).max() for output in fixed.values())
    largest = 0.0
    for (a, b), values in gains.items():
        changed = _run(enhancer, noisy, [a if i * BLOCK < CHANGE_AT else b for i in range(len(noisy) // BLOCK)])
        largest = max(largest, float(np.abs(np.diff(changed)).max() / steepest))
        # Going deeper is heard when the blocks that woke up have settled; what comes out was delayed and is aligned.
        heard = CHANGE_AT - (enhancer.latency - BLOCK) + (PINNED_WARM_UP * BLOCK if b > a else 0)
        window = slice(heard, heard + AFTER)
        # In a pause there is no target that an SI-SDR could be taken against.
        if np.sqrt(np.mean(target[window] ** 2)) > 0.1 * np.sqrt(np.mean(target**2)):
            shallower = _si_sdr(fixed[min(a, b)][window], target[window])
            values.append(_si_sdr(changed[window], target[window]) - shallower)
    return largest


def _report(gains: Pairs, random: dict[str, list[dict[str, float]]], largest_step: float, deepest: int) -> None:
    depths = range(1, deepest + 1)
    table = Table("from / to", *map(str, depths))
    for a in depths:
        table.add_row(str(a), *(f"{np.median(gains[a, b]):+.2f}" if a != b else "" for b in depths))
    console = Console()
    # Not the mean: where a word is taken for noise at either depth, SI-SDR is -40 dB and differences mean nothing.
    console.print("SI-SDR in the 200 ms after a change is heard, dB above the shallower fixed depth, median")
    console.print(table)
    console.print(f"worst pair {min(np.median(v) for v in gains.values()):+.2f} dB")
    console.print(f"largest sample step with changes over the largest of the fixed outputs: {largest_step:.2f}")
    for often, items in random.items():
        decibels, pesq = ([item[metric] for item in items] for metric in METRICS)
        console.print(
            f"random depth {often}, against the mean of the fixed depths: SI-SDR {np.mean(decibels):+.2f} dB, PESQ "
            f"{np.mean(pesq):+.3f} (by item {', '.join(f'{value:+.2f}' for value in pesq)})"
        )


def _run(enhancer: sdk.Enhancer, noisy: np.ndarray, schedule: list[int]) -> np.ndarray:
    """The aligned output with a depth per 10 ms block."""
    enhancer.reset()
    outputs = []
    for i, depth in enumerate(schedule):
        enhancer.set_depth(depth)
        outputs.append(enhancer.process(noisy[i * BLOCK : (i + 1) * BLOCK]))
    return np.concatenate([*outputs, enhancer.flush()])[enhancer.latency :]


def _scores(output: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    """`METRICS` of a whole output."""
    return _si_sdr(output, target), pesq_wb(output, target[: len(output)])


def _si_sdr(output: np.ndarray, target: np.ndarray) -> float:
    return si_sdr(output, target[: len(output)])


if __name__ == "__main__":
    command.run(main)
