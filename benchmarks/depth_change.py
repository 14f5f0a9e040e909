"""How a change of depth is heard: SI-SDR in the 200 ms after the new head speaks, against the shallower fixed depth.

    PSE_DATA=... python benchmarks/depth_change.py [--items 40] [--model NAME]

Every pair of depths, on held-out mixtures, changed after 2.5 s; and with a new random depth ten times a second, over
the whole mixture. Needs the [train] extra.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

import pse_sdk as sdk
from pse_sdk.depth_change import WARM_UP
from pse_sdk.evaluation.metrics import si_sdr
from pse_sdk.training.data import SAMPLE_RATE, data_folder
from pse_sdk.training.train import VALID, VALID_SEED, mixtures

CHANGE_AT = int(2.5 * SAMPLE_RATE)
AFTER = int(0.2 * SAMPLE_RATE)
BLOCK = SAMPLE_RATE // 100


def main(
    model: Annotated[str | None, typer.Option()] = None,
    items: Annotated[int, typer.Option()] = 40,
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA")] = None,
) -> None:
    """Print the table: rows from, columns to, SI-SDR after the change less that of the shallower fixed depth."""
    pairs = mixtures(data_folder(data), "valid", VALID, items, VALID_SEED)
    enhancer = sdk.Enhancer(model=model)
    depths = range(1, enhancer.max_depth + 1)
    rng = np.random.default_rng(0)
    gains: dict[tuple[int, int], list[float]] = {(a, b): [] for a in depths for b in depths if a != b}
    random_gain: list[float] = []
    largest_step = 0.0
    for noisy, target, *_ in (pairs[i] for i in range(items)):
        fixed = {d: _run(enhancer, noisy, [d] * (len(noisy) // BLOCK)) for d in depths}
        steepest = max(np.abs(np.diff(output)).max() for output in fixed.values())
        for (a, b), values in gains.items():
            changed = _run(enhancer, noisy, [a if i * BLOCK < CHANGE_AT else b for i in range(len(noisy) // BLOCK)])
            largest_step = max(largest_step, float(np.abs(np.diff(changed)).max() / steepest))
            # Going deeper is heard when the blocks that woke up have settled.
            heard = CHANGE_AT + (WARM_UP * BLOCK if b > a else 0)
            window = slice(heard, heard + AFTER)
            # In a pause there is no target that an SI-SDR could be taken against.
            if np.sqrt(np.mean(target[window] ** 2)) > 0.1 * np.sqrt(np.mean(target**2)):
                shallower = _score(fixed[min(a, b)][window], target[window])
                values.append(_score(changed[window], target[window]) - shallower)
        schedule = np.repeat(rng.integers(1, enhancer.max_depth + 1, len(noisy) // BLOCK // 10 + 1), 10)
        switched = _run(enhancer, noisy, [int(d) for d in schedule[: len(noisy) // BLOCK]])
        mean_of_fixed = np.mean([_score(output, target) for output in fixed.values()])
        random_gain.append(_score(switched, target) - float(mean_of_fixed))
    table = Table("from / to", *map(str, depths))
    for a in depths:
        table.add_row(str(a), *(f"{np.mean(gains[a, b]):+.2f}" if a != b else "" for b in depths))
    console = Console()
    console.print("SI-SDR in the 200 ms after a change is heard, dB above the shallower fixed depth")
    console.print(table)
    console.print(f"worst pair {min(np.mean(v) for v in gains.values()):+.2f} dB")
    console.print(
        f"random depth ten times a second: {np.mean(random_gain):+.2f} dB against the mean of the fixed depths"
    )
    console.print(f"largest sample step with changes over the largest of the fixed outputs: {largest_step:.2f}")


def _run(enhancer: sdk.Enhancer, noisy: np.ndarray, schedule: list[int]) -> np.ndarray:
    """The aligned output with a depth per 10 ms block."""
    enhancer.reset()
    outputs = []
    for i, depth in enumerate(schedule):
        enhancer.set_depth(depth)
        outputs.append(enhancer.process(noisy[i * BLOCK : (i + 1) * BLOCK]))
    return np.concatenate([*outputs, enhancer.flush()])[enhancer.latency :]


def _score(output: np.ndarray, target: np.ndarray) -> float:
    return si_sdr(output, target[: len(output)])


if __name__ == "__main__":
    typer.run(main)
