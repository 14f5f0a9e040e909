"""A report as tables, for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rich.table import Table
from rich.text import Text

from pse_sdk.evaluation.bootstrap import ENOUGH_ITEMS, FEWEST_ITEMS, Estimate, estimate
from pse_sdk.evaluation.compare import Difference
from pse_sdk.evaluation.report import Report, Variant, summary
from pse_sdk.evaluation.scores import COLUMNS

# What is broken down by SNR and noise, in this order.
HEADLINES = ("si_sdr", "pesq", "dnsmos_ovrl", "wer")
SURE = "*"


class Cell(NamedTuple):
    """A figure, the interval round it, and what a terminal shows of that: half of it, or where it lies."""

    text: str
    interval: str = ""
    below: str = ""


@dataclass(frozen=True)
class Sheet:
    """One table."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[Cell, ...]]

    def to_rich(self) -> Table:
        """What there is of an interval under each figure."""
        table = Table(title=self.title, title_justify="left", title_style="bold", padding=(0, 0, 0, 1), box=None)
        for number, heading in enumerate(self.header):
            table.add_column(Text(heading), justify="right" if number else "left", no_wrap=True)
        for row in self.rows:
            table.add_row(*(_two_lines(cell) for cell in row))
        return table

    def to_markdown(self) -> str:
        """Intervals behind the figures."""
        lines = [f"**{self.title}**", "", f"| {' | '.join(self.header)} |", "|---" * len(self.header) + "|"]
        lines += [f"| {' | '.join(' '.join(filter(None, cell[:2])) for cell in row)} |" for row in self.rows]
        return "\n".join(lines)


def overview(report: Report) -> Sheet:
    """Every variant: all columns, the time of a frame and the multiplications."""
    header = ["system, depth"]
    for key in report.columns:
        header += [COLUMNS[key].heading, *(["gain"] if COLUMNS[key].gain else [])]
    timed = any(variant.cost.ms_per_frame for variant in report.variants)
    rows = []
    for variant in report.variants:
        means = summary(report, variant)
        cells = [Cell(variant.name)]
        for key in report.columns:
            cells.append(_cell(means[key], COLUMNS[key].digits))
            if COLUMNS[key].gain:
                gain = means.get(f"{key}_gain")
                cells.append(_cell(gain, COLUMNS[key].digits, signed=True) if gain else Cell(""))
        rows.append((*cells, *(_cost(variant) if timed else ())))
    return Sheet(_of(report), (*header, *(("ms/frame", "MMAC/s") if timed else ())), rows)


def breakdowns(report: Report, first_only: bool = False) -> list[Sheet]:
    """The headline columns, or the first of them, by SNR, then by noise class; gains where there are."""
    columns = [column for column in HEADLINES if column in report.columns][: 1 if first_only else None]
    kinds = {"SNR": report.snr_bands(), "noise class": report.noise_classes()}
    return [
        _breakdown(report, column, f"by {kind}", groups)
        for kind, groups in kinds.items()
        for column in columns
        if groups
    ]


def differences(rows: Sequence[Difference]) -> Sheet:
    """Paired differences; a star where the interval does not hold zero."""
    # An earlier report may have fewer columns than this one.
    columns = list(dict.fromkeys(column for row in rows for column in row.columns))
    cells = [
        (
            Cell(f"{row.better} - {row.than}"),
            *(_cell(row.columns[c], COLUMNS[c].digits, True, True) if c in row.columns else Cell("") for c in columns),
        )
        for row in rows
    ]
    title = f"Differences on the same items ({SURE}: the 95 % interval does not hold zero)"
    return Sheet(title, ("", *(COLUMNS[c].heading for c in columns)), cells)


def notes(report: Report) -> list[str]:
    """What a reader must know of the figures, as sentences."""
    lines = [
        f"{COLUMNS[column].title}: {count} of {len(report.labels) * len(report.variants)} scores could not be computed "
        "and are left out"
        for column, count in report.failed().items()
        if count
    ]
    if len(report.labels) < FEWEST_ITEMS:
        lines.append(f"no intervals: they need {FEWEST_ITEMS} items")
    elif len(report.labels) < ENOUGH_ITEMS:
        lines.append(f"intervals: of fewer than {ENOUGH_ITEMS} items they are too narrow")
    frames: dict[float, set[str]] = {}
    for v in report.variants:
        if v.cost.runtime:
            frames.setdefault(v.cost.frame_ms or 0.0, set()).add(f"{v.system} in {v.cost.runtime}")
    if frames:
        told = ", ".join(f"{ms:g} ms of audio ({', '.join(sorted(names))})" for ms, names in sorted(frames.items()))
        lines.append(f"ms/frame: median of frames back to back, one thread; a frame is {told}")
    took = ", ".join(f"{key} {1e3 * seconds:.0f}" for key, seconds in report.seconds.items())
    return [*lines, f"Mean time per output, ms: {took}"]


def to_markdown(report: Report, compared: Sequence[Sheet]) -> str:
    """The whole report as one page."""
    made = ", ".join(f"{key} {value}" for key, value in report.made.items())
    sheets = [overview(report), *compared, *breakdowns(report)]
    parts = ["# Evaluation", f"{report.title}. Means with 95 % bootstrap intervals over items ({made}).",
             *(sheet.to_markdown() for sheet in sheets), *notes(report)]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _breakdown(report: Report, key: str, by: str, groups: dict[str, npt.NDArray[np.intp]]) -> Sheet:
    column = COLUMNS[key]
    rows = []
    for variant in report.variants[1:] if column.gain else report.variants:
        values = report.gain(variant, key) if column.gain else variant.columns[key]
        cells = (_cell(estimate(values.at(items)), column.digits, column.gain) for items in groups.values())
        rows.append((Cell(variant.name), *cells))
    header = ("system, depth", *(f"{name} ({len(items)})" for name, items in groups.items()))
    return Sheet(f"{column.name_of_gain if column.gain else column.heading} {by} (items)", header, rows)


def _cell(e: Estimate, digits: int, signed: bool = False, mark: bool = False) -> Cell:
    if not e.items:
        return Cell("")
    sign = "+" if signed else ""
    text = f"{e.mean:{sign}.{digits}f}" + (SURE if mark and e.sign else "")
    if np.isnan(e.low):
        return Cell(text)
    interval = f"({e.low:{sign}.{digits}f} {e.high:{sign}.{digits}f})"
    # A star beside half of an interval that does not lie evenly would look like a mistake.
    return Cell(text, interval, interval if mark else f"±{(e.high - e.low) / 2:.{digits}f}")


def _cost(variant: Variant) -> tuple[Cell, Cell]:
    cost = variant.cost
    ms, macs = cost.ms_per_frame, cost.macs_per_second
    return Cell(f"{ms:.3f}" if ms else ""), Cell(f"{macs / 1e6:.0f}" if macs else "")


def _of(report: Report) -> str:
    return f"{len(report.labels)} items, means and 95 % intervals"


def _two_lines(cell: Cell) -> Text:
    return Text.assemble(cell.text, ("\n" + cell.below if cell.below else "", "dim"))
