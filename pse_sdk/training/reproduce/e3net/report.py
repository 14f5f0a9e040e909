"""The tables beside the paper's, as text for a terminal, Markdown and JSON; and a plot."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

from pse_sdk.errors import UsageError
from pse_sdk.files import write_atomically
from pse_sdk.training.reproduce.e3net.candidates import CANDIDATES, Candidate
from pse_sdk.training.reproduce.page import write_between_marks

# The name of the marks that the tables stand between.
MARK = "pse reproduce e3net"
WANTED_SPEEDUP = 3.0
REFERENCE = next(candidate for candidate in CANDIDATES if candidate.name == "pdccrn")


@dataclass
class Results:
    """What was measured so far; each part can be measured apart and later.

    Parameters
    ----------
    conditions : of each part, in words
    noisy : mean SI-SDR and PESQ of the unprocessed mixtures
    speed, training, quality : by the candidate's name
    """

    conditions: dict[str, str] = field(default_factory=dict)
    noisy: dict[str, float] = field(default_factory=dict)
    speed: dict[str, dict[str, float]] = field(default_factory=dict)
    training: dict[str, dict[str, Any]] = field(default_factory=dict)
    quality: dict[str, dict[str, float]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Results:
        """What an earlier run left at ``path``, or nothing yet."""
        if not path.exists():
            return cls()
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (TypeError, ValueError) as error:
            raise UsageError(f"{path}: not results that `pse reproduce e3net` wrote ({error}); remove it") from error

    def write(self, path: Path) -> None:
        with write_atomically(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


class Section(NamedTuple):
    """A table as texts: what was measured how, headings, and a row per candidate."""

    caption: str
    headings: tuple[str, ...]
    rows: list[list[str]]


def sections(results: Results) -> list[Section]:
    """Size and speed, then quality; what was not measured is left out."""
    speed_headings = (
        "model", "M parameters", "GMAC/s", "ms per frame", "factor, paced", "hot", "file", "speed-up, paced", "hot",
        "file", "int8, paced",
    )  # fmt: skip
    quality_headings = ("model", "steps", "mixtures", "audio, min", "SI-SDR gain, dB", "PESQ gain")
    measured = []
    if results.speed:
        rows = [_speed_row(candidate, results.speed) for candidate in CANDIDATES]
        measured.append(Section(results.conditions["speed"], speed_headings, rows))
    if results.quality:
        rows = [_quality_row(candidate, results) for candidate in CANDIDATES]
        measured.append(Section(results.conditions["quality"], quality_headings, rows))
    return measured


def _speed_row(candidate: Candidate, speed: dict[str, dict[str, float]]) -> list[str]:
    """The paper's figures stand in brackets."""
    cost, own = candidate.cost(), speed.get(candidate.name, {})
    paper_speedup = REFERENCE.paper_factor / candidate.paper_factor
    return [
        candidate.label,
        f"{cost.parameters / 1e6:.2f} ({candidate.paper_parameters:.2f})",
        f"{cost.macs_per_second / 1e9:.2f}",
        f"{_text(own, 'cpu_ms', '.2f')} of {1000 / candidate.config.frames_per_second:.0f}",
        f"{_text(own, 'paced_factor', '.3f')} ({candidate.paper_factor:.3f})",
        _text(own, "hot_factor", ".3f"),
        _text(own, "file_factor", ".3f"),
        f"{_text(own, 'paced_speedup', '.2f')} ({paper_speedup:.1f})",
        _text(own, "hot_speedup", ".2f"),
        _text(own, "file_speedup", ".2f"),
        _text(speed.get(f"{candidate.name}-int8", {}), "paced_speedup", ".2f"),
    ]


def _quality_row(candidate: Candidate, results: Results) -> list[str]:
    training, quality = results.training.get(candidate.name, {}), results.quality.get(candidate.name, {})
    return [
        candidate.label,
        _text(training, "steps", "d"),
        _text(training, "mixtures", "d"),
        _text(training, "audio_minutes", ".1f"),
        _with_error(quality, "si_sdr_gain", ".2f"),
        _with_error(quality, "pesq_gain", ".3f"),
    ]


def verdict(results: Results) -> str:
    """Whether E3Net with 4 blocks is as much faster than pDCCRN as the paper says."""
    own, int8 = (results.speed.get(name, {}) for name in ("e3net-4", "e3net-4-int8"))
    if not own or not int8:
        return "Speed was not measured."
    ways = {
        "paced": own["paced_speedup"],
        "hot": own["hot_speedup"],
        "files": own["file_speedup"],
        "int8 against fp32, paced": int8["paced_speedup"],
    }
    judged = [f"{way} {n:.2f} times ({'reached' if n >= WANTED_SPEEDUP else 'missed'})" for way, n in ways.items()]
    return f"E3Net with N = 4 against pDCCRN, {WANTED_SPEEDUP:g} times as fast wanted: {'; '.join(judged)}."


def terminal_tables(results: Results) -> list[Table]:
    tables = []
    for section in sections(results):
        table = Table(*section.headings, caption=section.caption, caption_justify="left")
        for row in section.rows:
            table.add_row(*row)
        tables.append(table)
    return tables


def write_page(results: Results, page: Path) -> None:
    """Put the tables into the page, between its marks; a page that does not exist begins with them."""
    parts = []
    for section in sections(results):
        lines = [section.headings, ["---"] * len(section.headings), *section.rows]
        parts += [section.caption, "", *(f"| {' | '.join(cells)} |" for cells in lines), ""]
    text = "\n".join([*parts, verdict(results)])
    write_between_marks(page, MARK, "E3Net against pDCCRN", text)


def draw(results: Results, path: Path) -> None:
    """Gain in SI-SDR and in PESQ over the real-time factor, one line per kind of model."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    panels = {"si_sdr_gain": "SI-SDR gain, dB", "pesq_gain": "PESQ-WB gain"}
    for axis, (score, title) in zip(figure.subplots(1, 2), panels.items(), strict=True):
        for kind, label, colour in (("e3net", "E3Net", "tab:blue"), ("pdccrn", "pDCCRN", "tab:red")):
            _line(axis, [c for c in drawable(results) if c.name.startswith(kind)], results, score, label, colour)
        axis.set_xlim(0, 1.2 * max(results.speed[c.name]["paced_factor"] for c in drawable(results)))
        axis.set_xlabel("real-time factor, one thread, fp32, paced frames")
        axis.set_ylabel(title)
        axis.grid(alpha=0.3)
        axis.legend(loc="lower left")
    figure.suptitle(results.conditions["training"], fontsize=9)
    with write_atomically(path) as temporary:
        figure.savefig(temporary, dpi=150, format="png")


def _line(axis: Any, known: list[Candidate], results: Results, score: str, label: str, colour: str) -> None:
    """Points with standard errors, each named by what tells it from the others of its kind."""
    x = [results.speed[c.name]["paced_factor"] for c in known]
    y = [results.quality[c.name][score] for c in known]
    error = [results.quality[c.name][f"{score}_error"] for c in known]
    axis.errorbar(x, y, error, fmt="o-", color=colour, capsize=3, label=label)
    for candidate, at in zip(known, zip(x, y, strict=True), strict=True):
        short = candidate.label.removeprefix(f"{label}, ")
        text = short if short != label else "large"
        axis.annotate(text, at, xytext=(6, 5), textcoords="offset points", fontsize=8, color=colour)


def drawable(results: Results) -> list[Candidate]:
    """The candidates whose quality and speed are known, the fastest first."""
    known = [c for c in CANDIDATES if c.name in results.quality and c.name in results.speed]
    return sorted(known, key=lambda c: results.speed[c.name]["paced_factor"])


def _text(values: dict[str, Any], key: str, form: str) -> str:
    return format(values[key], form) if key in values else "-"


def _with_error(values: dict[str, float], key: str, form: str) -> str:
    return f"{values[key]:{form}} ± {values[f'{key}_error']:{form}}" if key in values else "-"
