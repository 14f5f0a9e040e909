"""Draw how the frame times of each depth are distributed, against the deadline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pse_sdk.pictures import plain
from pse_sdk.profiling.measure import Cell, Series

SHOWN = {"paced": "paced, alone", "paced_under_load": "paced, under load"}


def draw_latencies(every: Sequence[Series], path: Path, title: str) -> None:
    """For each candidate and condition: the part of the frames that took so many milliseconds or more."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    conditions = [c for c in SHOWN if c in every[0].cells]
    figure = Figure(figsize=(5.5 * len(conditions) + 0.5, 3.6 * len(every) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(every), len(conditions), sharex=True, sharey=True, squeeze=False)
    for row, series in zip(axes, every, strict=True):
        for axis, condition in zip(row, conditions, strict=True):
            _curves(axis, series.cells[condition])
            axis.set_title(plain(f"{series.candidate}\n{SHOWN[condition]}"), loc="left", fontsize=9)
    for axis in axes[-1]:
        axis.set_xlabel("time of a frame, ms")
    for axis in axes[:, 0]:
        axis.set_ylabel("frames that took as long or longer")
    figure.suptitle(plain(title), fontsize=10)
    figure.savefig(path, dpi=110, format=path.suffix.lstrip("."))


def _curves(axis: Any, cells: Sequence[Cell]) -> None:
    from matplotlib import colormaps
    from matplotlib.ticker import FuncFormatter

    for number, cell in enumerate(cells):
        wall_ms = 1e3 * np.sort(cell.timed.wall_s)
        longer = 1 - np.arange(len(wall_ms)) / len(wall_ms)
        colour = colormaps["viridis"](0.9 * number / max(1, len(cells) - 1))
        axis.step(wall_ms, longer, where="pre", color=colour, label=f"depth {cell.timed.depth}")
    deadline_ms = 1e3 * cells[0].timed.hop_s
    axis.axvline(deadline_ms, color="crimson", linestyle="--", linewidth=1, label=f"deadline: {deadline_ms:g} ms")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.xaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:g}"))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    axis.grid(True, which="both", alpha=0.2)
    axis.legend(fontsize=8)
