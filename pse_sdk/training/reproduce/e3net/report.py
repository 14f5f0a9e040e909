"""The table beside the paper's, as text for a terminal, Markdown and JSON; and a plot."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from pse_sdk.errors import UsageError
from pse_sdk.files import write_atomically
from pse_sdk.training.reproduce.e3net.candidates import CANDIDATES, Candidate

# The table of a page stands between these, and the rest of the page is its author's.
BEGIN, END = "<!-- pse reproduce e3net -->", "<!-- /pse reproduce e3net -->"
WANTED_SPEEDUP = 3.0

HEADINGS = (
    "model", "parameters M (paper)", "MACs G/s", "ms per frame / hop", "real-time factor (paper)", "times pDCCRN (paper)",
    "int8 factor", "steps", "audio, min", "SI-SDR gain dB", "PESQ gain",
)  # fmt: skip


@dataclass
class Results:
    """What was measured so far; each part can be measured apart and later.

    Parameters
    ----------
    conditions : budget, data and machine, in words
    noisy : mean SI-SDR and PESQ of the unprocessed mixtures
    speed, training, quality : by the candidate's name
    """

    conditions: dict[str, Any] = field(default_factory=dict)
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


def rows(results: Results) -> list[list[str]]:
    """One row of texts per candidate that anything is known of."""
    reference = next(c for c in CANDIDATES if c.name == "pdccrn")
    table = []
    for candidate in CANDIDATES:
        cost, speed = candidate.cost(), results.speed.get(candidate.name, {})
        training, quality = results.training.get(candidate.name, {}), results.quality.get(candidate.name, {})
        int8 = results.speed.get(f"{candidate.name}-int8", {})
        hop_ms = 1000 / candidate.config.frames_per_second
        table.append([
            candidate.label,
            f"{cost.parameters / 1e6:.2f} ({candidate.paper_parameters:.2f})",
            f"{cost.macs_per_second / 1e9:.2f}",
            _text(speed, "cpu_p50_ms", ".2f") + f" / {hop_ms:.0f}",
            f"{_text(speed, 'factor', '.3f')} ({candidate.paper_factor:.3f})",
            f"{_text(speed, 'speedup', '.1f')} ({reference.paper_factor / candidate.paper_factor:.1f})",
            _text(int8, "factor", ".3f"),
            _text(training, "steps", "d"),
            _text(training, "audio_minutes", ".0f"),
            _with_error(quality, "si_sdr_gain", ".2f"),
            _with_error(quality, "pesq_gain", ".3f"),
        ])  # fmt: skip
    return table


def verdict(results: Results) -> str:
    """Whether E3Net with 4 blocks is as much faster than pDCCRN as the paper says."""
    speedup = results.speed.get("e3net-4", {}).get("speedup")
    if speedup is None:
        return ""
    met = "reached" if speedup >= WANTED_SPEEDUP else "missed"
    return f"E3Net with N = 4 needs {speedup:.2f} times less of real time than pDCCRN; {WANTED_SPEEDUP:g} wanted: {met}."


def terminal_table(results: Results) -> Table:
    table = Table(*HEADINGS, title=_caption(results))
    for row in rows(results):
        table.add_row(*row)
    return table


def write_page(results: Results, page: Path) -> None:
    """Put the table into the page, between the marks if it has them; a page that does not exist begins with it."""
    lines = [" | ".join(cells) for cells in (HEADINGS, ["---"] * len(HEADINGS), *rows(results))]
    text = "\n".join([BEGIN, _caption(results), "", *(f"| {line} |" for line in lines), "", verdict(results), END])
    old = page.read_text(encoding="utf-8") if page.exists() else f"# E3Net against pDCCRN\n\n{BEGIN}{END}\n"
    if BEGIN not in old or END not in old:
        raise UsageError(f"{page}: has no {BEGIN} ... {END} to put the table between")
    before, after = old.split(BEGIN)[0], old.split(END)[1]
    with write_atomically(page) as temporary:
        temporary.write_text(before + text + after, encoding="utf-8")


def draw(results: Results, path: Path) -> None:
    """Gain in SI-SDR and in PESQ over the real-time factor, one line per kind of model."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    for axis, name, title in zip(
        figure.subplots(1, 2), ("si_sdr_gain", "pesq_gain"), ("SI-SDR gain, dB", "PESQ-WB gain"), strict=True
    ):
        for kind, colour in (("e3net", "tab:blue"), ("pdccrn", "tab:red")):
            known = [c for c in drawable(results) if c.name.startswith(kind)]
            x = [results.speed[c.name]["factor"] for c in known]
            y = [results.quality[c.name][name] for c in known]
            error = [results.quality[c.name][f"{name}_error"] for c in known]
            axis.errorbar(x, y, error, fmt="o-", color=colour, capsize=3)
            for candidate, at in zip(known, zip(x, y, strict=True), strict=True):
                axis.annotate(candidate.label, at, xytext=(6, 6), textcoords="offset points", fontsize=8)
        axis.set_xlim(left=0)
        axis.margins(x=0.25, y=0.2)
        axis.set_xlabel("real-time factor, one thread, fp32")
        axis.set_ylabel(title)
        axis.grid(alpha=0.3)
    figure.suptitle(_caption(results), fontsize=9)
    with write_atomically(path) as temporary:
        figure.savefig(temporary, dpi=150, format="png")


def drawable(results: Results) -> list[Candidate]:
    """The candidates whose quality and speed are known, the fastest first."""
    known = [c for c in CANDIDATES if c.name in results.quality and c.name in results.speed]
    return sorted(known, key=lambda c: results.speed[c.name]["factor"])


def _caption(results: Results) -> str:
    return " ".join(f"{key}: {value}." for key, value in results.conditions.items())


def _text(values: dict[str, Any], key: str, form: str) -> str:
    return format(values[key], form) if key in values else "-"


def _with_error(values: dict[str, float], key: str, form: str) -> str:
    return f"{values[key]:{form}} ± {values[f'{key}_error']:{form}}" if key in values else "-"
