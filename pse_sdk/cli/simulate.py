"""``pse simulate``: what the depth controller makes of load traces, beside an oracle and every fixed depth."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pse_sdk.errors import TraceError, UsageError
from pse_sdk.pictures import check_picture
from pse_sdk.profiles import Profile, load_profile
from pse_sdk.simulate.compare import CONTROLLER, ORACLE, compare, missed_targets
from pse_sdk.simulate.library import LIBRARY, synthetic_trace
from pse_sdk.simulate.plot import plot_replays
from pse_sdk.simulate.replay import Replay
from pse_sdk.simulate.scores import Scores
from pse_sdk.simulate.trace import SUFFIX, LoadTrace, load_trace

Result = tuple[LoadTrace, dict[str, tuple[Replay, Scores]]]

# Columns that the table needs beside its first one, and for that one at least: a narrower terminal wraps its lines
# instead of losing names and figures.
WIDTH, LEAST_NAME = 75, 25


def simulate(
    traces: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TRACE]...", help=f"Synthetic ones ({', '.join(LIBRARY)}) or files; all synthetic ones if none."
        ),
    ] = None,
    profile: Annotated[str, typer.Option(help="battery, balanced, quality, fixed-N, or a .toml file.")] = "balanced",
    seed: Annotated[int, typer.Option(min=0, help="Another instance of the synthetic traces.")] = 0,
    plot: Annotated[
        Path | None, typer.Option(help="Also draw load, depths and late frames (.png, .pdf, .svg).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print figures as JSON instead of a table.")] = False,
) -> None:
    """Replay load traces through the depth controller and score it. Nothing is timed: the same in, the same out."""
    if plot:
        check_picture(plot)
    asked = load_profile(profile)
    loaded = [_trace(name, seed) for name in traces or LIBRARY]
    for trace in loaded:
        _must_fit(asked, trace)
    if seed and not any(name in LIBRARY for name in traces or LIBRARY):
        raise UsageError("--seed is of the synthetic traces, and files were recorded once: leave it out")
    results = [(trace, compare(trace, asked)) for trace in loaded]
    if plot:
        replays = [(trace, rows[CONTROLLER][0], rows[ORACLE][0]) for trace, rows in results]
        plot_replays(replays, plot, f"profile {asked.name}")
        Console(stderr=True, soft_wrap=True).print(f"wrote {plot}", markup=False, highlight=False)
    names = max(LEAST_NAME, *(cell_len(trace.name) for trace in loaded))
    console = Console(width=max(Console().width, names + WIDTH), soft_wrap=True, highlight=False)
    if as_json:
        figures = {
            trace.name: {name: dataclasses.asdict(scores) for name, (_, scores) in rows.items()}
            for trace, rows in results
        }
        typer.echo(json.dumps({"profile": asked.name, "seed": seed, "traces": figures}, indent=1))
    else:
        console.print(_table(results, asked.name))


def _trace(name: str, seed: int) -> LoadTrace:
    if name in LIBRARY:
        return synthetic_trace(name, seed)
    if not name.endswith(SUFFIX):
        raise TraceError(f"unknown trace {name!r}: choose one of {', '.join(LIBRARY)}, or give a {SUFFIX} file")
    # Called as it was asked for: two recordings may bear one name, or that of a synthetic trace.
    return dataclasses.replace(load_trace(Path(name)), name=name)


def _must_fit(profile: Profile, trace: LoadTrace) -> None:
    if profile.min_depth > trace.depths:
        raise UsageError(f"profile {profile.name}: depth {profile.min_depth}, but trace {trace.name} is of a model "
                         f"with depths 1 to {trace.depths}")  # fmt: skip


def _table(results: list[Result], profile: str) -> Table:
    table = Table(
        title=Text(f"profile {profile}"), title_justify="left", box=None, padding=(0, 0, 0, 1), caption_justify="left",
        caption="avoid.: late, but not at the least depth; row: the longest run of those; oracle: mean depth, as a "
        "share of the oracle's; dips: depth lost for at most 3 frames; react: frames until less runs; recov: seconds "
        "until it is as deep again. *, red: beyond the target (0.1 %, 1 in a row, 90 %, 6 changes/min under a steady "
        "load, 2 frames, 2 s)",
    )  # fmt: skip
    table.add_column("", no_wrap=True)
    for heading in ("late %", "avoid.%", "row", "depth", "oracle%", "chg/min", "dips", "CPU %", "react", "recov"):
        table.add_column(heading, justify="right", no_wrap=True)
    for trace, rows in results:
        table.add_row(Text(trace.name), style="bold")
        for name, (_, scores) in rows.items():
            missed = missed_targets(scores, trace.name) if name == CONTROLLER else []
            table.add_row(f"  {name}", *_cells(scores, missed), style="bold" if name == CONTROLLER else None)
    return table


def _cells(scores: Scores, missed: list[str]) -> list[str]:
    texts = {
        "late": f"{100 * scores.late:.2f}",
        "avoidable": f"{100 * scores.avoidable:.3f}",
        "longest_avoidable": str(scores.longest_avoidable),
        "mean_depth": f"{scores.mean_depth:.2f}",
        "of_oracle": f"{100 * scores.of_oracle:.0f}",
        "changes_per_minute": f"{scores.changes_per_minute:.1f}",
        "dips_per_minute": f"{scores.dips_per_minute:.1f}",
        "cpu_share": f"{100 * scores.cpu_share:.1f}",
        "reaction_frames": "" if scores.reaction_frames is None else str(scores.reaction_frames),
        "recovery_s": "" if scores.recovery_s is None else f"{scores.recovery_s:.1f}",
    }
    return [f"[red]{text}*[/red]" if figure in missed else text for figure, text in texts.items()]
