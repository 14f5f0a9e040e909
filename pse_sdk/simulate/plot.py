"""Pictures of replays: the load, the depths that followed it, and the frames that were late."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pse_sdk.files import write_atomically
from pse_sdk.pictures import plain
from pse_sdk.simulate.replay import Replay
from pse_sdk.simulate.trace import LoadTrace


def plot_replays(replays: list[tuple[LoadTrace, Replay, Replay]], path: Path, title: str) -> None:
    """One panel per (trace, controller's replay, oracle's replay)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 2.0 * len(replays) + 0.9), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(replays), 1, squeeze=False)[:, 0]
    for panel, (trace, run, best) in zip(panels, replays, strict=True):
        _draw(panel, trace, run, best)
    panels[-1].set_xlabel("s")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=5, fontsize=8)
    figure.suptitle(plain(title), x=0.01, ha="left")
    with write_atomically(path) as temporary:
        figure.savefig(temporary, dpi=110, format=path.suffix.lstrip("."))


def _draw(panel: Any, trace: LoadTrace, run: Replay, best: Replay) -> None:
    seconds = np.arange(trace.frames) * trace.hop_s
    load = panel.twinx()
    load.fill_between(seconds, trace.slowdown, 0.1, color="0.85", lw=0)
    load.set(yscale="log", ylim=(0.5, 40), ylabel="slowdown")
    load.set_zorder(0)
    panel.set_zorder(1)
    panel.patch.set_visible(False)
    panel.fill_between([], [], color="0.85", label="slowdown")
    panel.step(seconds, best.heard, where="post", color="tab:green", lw=0.7, alpha=0.7, label="oracle")
    panel.step(seconds, run.heard, where="post", color="tab:blue", lw=1.2, label="controller, heard")
    _marks(panel, seconds[run.late & ~run.avoidable], -0.1, "0.4", "late at any depth")
    _marks(panel, seconds[run.avoidable], -0.4, "tab:red", "late, avoidable")
    panel.set(ylim=(-0.7, trace.depths + 0.4), yticks=range(trace.depths + 1), ylabel="depth")
    panel.set_xlim(0, trace.seconds)
    panel.set_title(plain(trace.name), loc="left", fontsize=10)


def _marks(panel: Any, seconds: Any, height: float, colour: str, label: str) -> None:
    panel.plot(seconds, np.full(len(seconds), height), "|", color=colour, ms=7, label=label)
