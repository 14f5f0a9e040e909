"""The controller over the synthetic load traces, written as docs/controller-results.md and a picture.

    python benchmarks/controller.py [--seeds 4]

Nothing is timed: the same figures come out on every machine. Takes about a minute.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import command
import numpy as np
import typer
from pse_sdk.profiles import load_profile

from pse_sdk.simulate import LIBRARY, Scores, compare, synthetic_trace
from pse_sdk.simulate.compare import CONTROLLER, ORACLE, STEADY_ORACLE, missed_targets
from pse_sdk.simulate.plot import plot_replays

DOCS = Path(__file__).parent.parent / "docs"
PROFILES = ("balanced", "battery", "quality")
INTRODUCTION = """\
# The controller on synthetic loads

Written by `benchmarks/controller.py`. Each cell is the mean of {seeds} instances of a trace (120 s each, the first 5 s
not counted), in brackets the worst of them; **bold** where the worst is beyond the target of
[controller.md](controller.md). *Avoidable*: late frames that the least depth would have been in time for. *Of oracle*:
mean depth heard over that of an oracle that knows each frame beforehand; *steady* is the same for one whose depth must
meet every deadline of a whole second. *Least* and *deepest* are the avoidable misses and the mean depth, of the
oracle's, at fixed depths.
"""


def main(seeds: Annotated[int, typer.Option(min=1)] = 4) -> None:
    """Write the page and the picture."""
    page = [INTRODUCTION.format(seeds=seeds)]
    for profile in PROFILES:
        page += [
            f"## {profile}",
            "",
            "| trace | avoidable % | in a row | of oracle % | steady % | changes/min | dips/min | CPU % | reaction, "
            "frames | recovery, s | least: avoidable, of oracle % | deepest |",
            "|" + "---|" * 12,
            *(_row(profile, name, seeds) for name in LIBRARY),
            "",
        ]
    page += ["![Load, depths and late frames, profile balanced](controller.png)", ""]
    (DOCS / "controller-results.md").write_text("\n".join(page), encoding="utf-8")
    balanced = load_profile("balanced")
    runs = [(trace, compare(trace, balanced)) for trace in map(synthetic_trace, LIBRARY)]
    replays = [(trace, rows[CONTROLLER][0], rows[ORACLE][0]) for trace, rows in runs]
    plot_replays(replays, DOCS / "controller.png", "profile balanced")


def _row(profile: str, name: str, seeds: int) -> str:
    runs = [compare(synthetic_trace(name, seed), load_profile(profile)) for seed in range(seeds)]
    ours = [rows[CONTROLLER][1] for rows in runs]
    missed = {figure for scores in ours for figure in missed_targets(scores, name)}

    def cell(figure: str, scale: float, digits: int) -> str:
        values = [scale * getattr(scores, figure) for scores in ours if getattr(scores, figure) is not None]
        if not values:
            return ""
        worst = min(values) if figure == "of_oracle" else max(values)
        text = f"{np.mean(values):.{digits}f} ({worst:.{digits}f})"
        return f"**{text}**" if figure in missed else text

    fixed = [name for name in runs[0] if name.startswith("fixed")]
    cells = [
        name, cell("avoidable", 100, 3), cell("longest_avoidable", 1, 0), cell("of_oracle", 100, 0),
        f"{100 * np.mean([rows[STEADY_ORACLE][1].of_oracle for rows in runs]):.0f}", cell("changes_per_minute", 1, 1),
        cell("dips_per_minute", 1, 1), cell("cpu_share", 100, 1), cell("reaction_frames", 1, 0),
        cell("recovery_s", 1, 1), *(_fixed([rows[which][1] for rows in runs]) for which in (fixed[0], fixed[-1])),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _fixed(scores: list[Scores]) -> str:
    return f"{100 * np.mean([s.avoidable for s in scores]):.3f}, {100 * np.mean([s.of_oracle for s in scores]):.0f}"


if __name__ == "__main__":
    command.run(main)
