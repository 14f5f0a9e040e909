"""Validation gain over training steps, per depth, from the CSV logs that `pse train` wrote: a plot and a table.

    python benchmarks/training_curves.py RUN [RUN ...] [--output docs/training-curves.png]

RUN is a training folder. Several are stages of one training: the steps of each go on where the one before ended.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import command
import matplotlib
import typer
from rich.console import Console
from rich.table import Table

from pse_sdk.errors import UsageError

matplotlib.use("Agg")
from matplotlib import pyplot as plt

PANELS = {"si_sdr": "noise at 0 to 15 dB, nobody enrolled", "two_talkers": "two talkers at 0 dB, one enrolled"}
ROWS = 12

# Steps -> gain in dB, per depth, per validation set.
Curves = dict[str, dict[int, dict[int, float]]]


def main(
    runs: Annotated[list[Path], typer.Argument(help="Training folders, in their order.")],
    output: Annotated[Path, typer.Option()] = Path("docs/training-curves.png"),
) -> None:
    """Draw the curves and print about a dozen of their points."""
    curves: Curves = {}
    offset, stages = 0, []
    for run in runs:
        offset = _add(curves, run, offset)
        stages.append(offset)
    shown = {name: curves[name] for name in PANELS if name in curves}
    if not shown:
        raise UsageError("none of the folders holds the log of a run that was validated")
    _draw(shown, stages[:-1], output)
    for name, depths in shown.items():
        _print(PANELS[name], depths)
    print(f"wrote {output}")


def _add(curves: Curves, run: Path, offset: int) -> int:
    """Read a run's logs, one for each time it was resumed; returns the step where the next stage begins."""
    logs = sorted(run.glob("log/version_*/metrics.csv"), key=lambda path: int(path.parent.name.split("_")[1]))
    last = offset
    for log in logs:
        with log.open(newline="") as file:
            for row in csv.DictReader(file):
                for key, value in row.items():
                    if value and key.startswith("valid/"):
                        name, _, depth = key.removeprefix("valid/").rpartition("_gain_")
                        step = offset + int(row["step"]) + 1
                        curves.setdefault(name, {}).setdefault(int(depth), {})[step] = float(value)
                        last = max(last, step)
    return last


def _draw(curves: Curves, stages: list[int], output: Path) -> None:
    figure, axes = plt.subplots(1, len(curves), figsize=(6 * len(curves), 4), squeeze=False, layout="constrained")
    for axis, (name, depths) in zip(axes[0], curves.items(), strict=True):
        colours = plt.get_cmap("viridis")
        for depth, points in sorted(depths.items()):
            colour = colours(0.9 * (depth - 1) / max(1, max(depths) - 1))
            axis.plot(*zip(*sorted(points.items()), strict=True), color=colour, label=f"depth {depth}")
        for stage in stages:
            axis.axvline(stage, color="grey", linewidth=0.8, linestyle=":")
        axis.set(title=PANELS[name], xlabel="steps", ylabel="SI-SDR gain, dB")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    figure.savefig(output, dpi=110)
    plt.close(figure)


def _print(title: str, depths: dict[int, dict[int, float]]) -> None:
    table = Table("steps", *(f"depth {depth}" for depth in sorted(depths)), title=title)
    steps = sorted(next(iter(depths.values())))
    every = max(1, len(steps) // ROWS)
    for step in [*steps[:-1:every], steps[-1]]:
        table.add_row(str(step), *(f"{depths[depth][step]:.2f}" for depth in sorted(depths)))
    Console().print(table)


if __name__ == "__main__":
    command.run(main)
