"""Gain over depth: one panel per block type, one line per method."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pse_sdk.errors import UsageError, how_to_install
from pse_sdk.files import write_atomically
from pse_sdk.training.reproduce.paper import PAPER, TITLES
from pse_sdk.training.reproduce.score import Gains

STYLES: dict[str, dict[str, Any]] = {
    "full": {"color": "tab:red", "ls": "--", "marker": "x"},
    "int": {"color": "black", "ls": "-", "marker": "o", "lw": 2.2},
    "chain": {"color": "tab:brown", "ls": "--", "marker": "s"},
    "bloom": {"color": "tab:orange", "ls": "-", "marker": "^"},
    "bloom-ft": {"color": "tab:purple", "ls": "-", "marker": "v"},
    "joint": {"color": "tab:blue", "ls": "-", "marker": "D"},
    "weighted": {"color": "tab:cyan", "ls": ":", "marker": "D"},
    "distilled": {"color": "tab:green", "ls": ":", "marker": "P"},
    "switching": {"color": "tab:olive", "ls": ":", "marker": "*"},
    "longer": {"color": "0.3", "ls": "-.", "marker": "D"},
    "half-data": {"color": "0.6", "ls": "-.", "marker": "D"},
}


def plot_gains(panels: Mapping[str, Mapping[str, Gains]], path: Path) -> None:
    """Mean gains [depths] by method, by block type; the paper's in a panel of their own. Needs matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError(f"pictures need matplotlib: {how_to_install('plot')}") from None
    drawn: dict[str, Mapping[str, Any]] = {f"{kind} blocks, our data": rows for kind, rows in panels.items()} | {
        "convtasnet blocks, the paper's table": PAPER
    }
    figure = Figure(figsize=(4.6 * len(drawn), 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, rows) in zip(figure.subplots(1, len(drawn), squeeze=False)[0], drawn.items(), strict=True):
        for row, style in STYLES.items():
            if row in rows:
                axes.plot(range(1, len(rows[row]) + 1), rows[row], label=TITLES[row], ms=5, **style)
        axes.set(title=title, xlabel="depth (blocks)", ylabel="SI-SDR gain, dB")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    lines = {str(line.get_label()): line for axes in figure.axes for line in axes.get_lines()}
    figure.legend(list(lines.values()), list(lines), loc="outside lower center", ncols=3, fontsize=8)
    with write_atomically(path) as temporary:
        figure.savefig(temporary, dpi=110)
