"""Quality against what it costs: one line per system, one marker per depth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pse_sdk.evaluation.bootstrap import Estimate
from pse_sdk.evaluation.report import Report, Variant, summary
from pse_sdk.evaluation.scores import COLUMNS
from pse_sdk.evaluation.tables import HEADLINES
from pse_sdk.files import write_atomically


def _ms_per_10_ms(variant: Variant) -> float | None:
    """Of audio: frames of different models are of different lengths."""
    cost = variant.cost
    return cost.ms_per_frame and cost.ms_per_frame * 10 / (cost.frame_ms or 10)


COSTS: dict[str, Callable[[Variant], float | None]] = {
    "ms per 10 ms of audio (median, one thread)": _ms_per_10_ms,
    "million multiplications per second": lambda v: v.cost.macs_per_second and v.cost.macs_per_second / 1e6,
}


def plot_report(report: Report, path: Path) -> None:
    """One row of panels per headline column, one column per cost. Systems without a cost are level lines."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    keys = [key for key in HEADLINES if key in report.columns] or report.columns[:1]
    figure = Figure(figsize=(10.5, 3.1 * len(keys) + 0.8), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(keys), len(COSTS), squeeze=False, sharey="row", sharex="col")
    for row, key in zip(panels, keys, strict=True):
        for panel, cost_of in zip(row, COSTS.values(), strict=True):
            for number, variants in enumerate(report.systems().values()):
                _line(panel, report, variants, key, cost_of, f"C{number}")
            panel.grid(alpha=0.25)
        row[0].set_ylabel(COLUMNS[key].name_of_gain if COLUMNS[key].gain else COLUMNS[key].heading)
        if not COLUMNS[key].gain:
            _level(row, summary(report, report.variants[0])[key], "0.4", report.variants[0].name)
    for panel, title in zip(panels[-1], COSTS, strict=True):
        panel.set_xlabel(title)
        panel.margins(x=0.06)  # room for the depth beside the last marker
        panel.set_xlim(left=0)
    # Not every panel has every line: gains have none of the unprocessed recordings.
    lines = {
        label: handle
        for panel in panels[:, 0]
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    figure.suptitle(f"{report.title}\nmarkers: depths; bars: 95 % bootstrap intervals", fontsize=9, x=0.01, ha="left")
    with write_atomically(path) as temporary:
        figure.savefig(temporary, dpi=110, format=path.suffix.lower().lstrip("."))


def _line(
    panel: Any,
    report: Report,
    variants: list[Variant],
    key: str,
    cost_of: Callable[[Variant], float | None],
    colour: str,
) -> None:
    shown = f"{key}_gain" if COLUMNS[key].gain else key
    estimates = [summary(report, variant)[shown] for variant in variants]
    costs = [cost_of(variant) for variant in variants]
    if None in costs:
        _level([panel], estimates[0], colour, variants[0].system)
        return
    middle = [e.mean for e in estimates]
    # Of equal values rounding can put a mean beside its interval.
    bars = [[max(0.0, e.mean - e.low) for e in estimates], [max(0.0, e.high - e.mean) for e in estimates]]
    panel.errorbar(costs, middle, bars, fmt="o-", ms=5, lw=1.3, capsize=2.5, elinewidth=0.8, color=colour,
                   label=variants[0].system)  # fmt: skip
    for cost, y, variant in zip(costs, middle, variants, strict=True):
        depth = str(variant.depth or "")
        panel.annotate(depth, (cost, y), (4, -11), textcoords="offset points", fontsize=8, color=colour)


def _level(panels: Any, e: Estimate, colour: str, label: str) -> None:
    """A system of which no cost is known."""
    for panel in panels:
        panel.axhline(e.mean, color=colour, lw=1.2, ls="--", label=label)
        if e.low <= e.high:  # of few items there is no interval
            panel.axhspan(e.low, e.high, color=colour, alpha=0.08, lw=0)
