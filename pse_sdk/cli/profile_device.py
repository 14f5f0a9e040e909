"""``pse profile-device``: measure this machine, show what each depth takes, and write the device table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from pse_sdk.cli.device_report import comparison, report
from pse_sdk.cli.latency_plot import draw_latencies
from pse_sdk.errors import UsageError
from pse_sdk.files import check_writable, write_atomically
from pse_sdk.machine import usable_cores
from pse_sdk.pictures import check_picture
from pse_sdk.profiling.candidates import Candidate, find_candidates
from pse_sdk.profiling.competitors import Competition, competing, own_nice
from pse_sdk.profiling.energy import EnergyMeter
from pse_sdk.profiling.frames import WARM_UP
from pse_sdk.profiling.measure import Plan, Series, measure
from pse_sdk.profiling.save import add_earlier, make_table, save_table, why_not_kept
from pse_sdk.table_reader import default_path, read_table

FRAMES = 1000
QUICK_S = 14  # of frames; loading and idling take the rest of 20 s
IDLE_S = 1.0
# Columns that the tables need: a narrower terminal wraps their lines instead of losing figures.
WIDTH = 80
# Busier than this before the measuring began, a machine shows more than its own cost.
DISTURBED = 0.2


def profile_device(
    model: Annotated[
        list[str] | None, typer.Option(help="A bundled model's name, or a model file; all bundled if not given.")
    ] = None,
    runtime: Annotated[list[str] | None, typer.Option(help="A runtime; all that are installed if not given.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="About 20 s: enough to choose depths, not for p99.")] = False,
    frames: Annotated[
        int | None,
        typer.Option(min=10, max=1_000_000, help=f"Frames per depth and condition ({FRAMES}, or as --quick says)."),
    ] = None,
    load: Annotated[
        int | None, typer.Option(min=0, max=1024, help="Competing processes; one per core if not given, 0 for none.")
    ] = None,
    load_nice: Annotated[
        int | None,
        typer.Option(min=-20, max=19, help="Nice level of the competing processes; the own if not given."),
    ] = None,
    load_cores: Annotated[
        str, typer.Option(metavar="0,1,...", help="Cores that the competing processes stay on.")
    ] = "",
    plot: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw how frame times are distributed.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where to write the table; this user's if not given.")
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None, typer.Option(metavar="A B", help="Measure nothing; compare two tables.")
    ] = None,
) -> None:
    """Measure what every depth costs on this machine, and write the table that the controller starts from."""
    console = Console(width=max(Console().width, WIDTH), soft_wrap=True, highlight=False)
    if compare is not None:
        if any((model, runtime, quick, frames, load_cores, plot, output)) or (load, load_nice) != (None, None):
            raise UsageError("--compare measures nothing and writes nothing: leave out the other options")
        a, b = ((str(path), read_table(path)) for path in compare)
        console.print(comparison(a, b))
        return
    if quick and frames is not None:
        raise UsageError("--quick chooses the number of frames: leave out either of --quick and --frames")
    if load == 0 and (load_cores or load_nice is not None):
        raise UsageError("--load 0 has no competing processes: leave out --load-cores and --load-nice")
    nice = own_nice() if load_nice is None else load_nice
    competition = Competition(usable_cores() if load is None else load, nice, _cores(load_cores))
    candidates, skipped = find_candidates(model or [], runtime or [])
    notes = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    path = _checked(output, plot, notes)
    with competing(competition):
        pass  # what the system refuses is said before the minutes of measuring, not after
    plan = _plan(candidates, frames, quick, competition)
    for line in skipped:
        notes.print(line)
    meter = EnergyMeter()
    busy = _busy(notes)
    meter.measure_idle(IDLE_S)
    every = _measure(candidates, plan, meter, notes)
    table = make_table([series.measured() for series in every], busy, competition)
    # All files before the report, whose reader may leave; and the report though a file could not be written.
    try:
        save_table(add_earlier(table, path), path)
        notes.print(f"wrote {path}")
        if plot is not None:
            with write_atomically(plot) as temporary:
                draw_latencies(every, temporary, f"{table.machine}; load: {table.load}")
            notes.print(f"wrote {plot}")
    finally:
        console.print(report(table))
    if meter.missing:
        notes.print(f"energy was not measured: {meter.missing}; CPU s/s, the median CPU seconds of a second of audio, "
                    "stand for it")  # fmt: skip
    if busy > DISTURBED:
        notes.print(f"the machine was {busy:.0%} busy before the measuring began: measure again when it is idle")


def _busy(notes: Console) -> float:
    """The share of this machine's time that others use, for the record; 0 where the system does not tell."""
    try:
        return psutil.cpu_percent(interval=IDLE_S) / 100
    except OSError as error:
        notes.print(f"how busy the machine is cannot be read ({error.strerror})")
        return 0.0


def _checked(output: Path | None, plot: Path | None, notes: Console) -> Path:
    """Where the table is written, once that and the plot are known to be possible, and no other table is lost."""
    if plot is not None:
        check_picture(plot)
    path = output or default_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); choose another output") from error
    check_writable(path)
    if problem := why_not_kept(path):
        if output is not None:
            raise UsageError(f"{problem}; it would be replaced: choose another output, or delete it")
        notes.print(f"will be replaced: {problem}")
    return path


def _measure(candidates: list[Candidate], plan: Plan, meter: EnergyMeter, console: Console) -> list[Series]:
    with Progress(
        BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
        refresh_per_second=1,  # drawing disturbs what is measured
    ) as progress:  # fmt: skip
        task = progress.add_task("", total=plan.steps(candidates))

        def show(what: str) -> None:
            progress.update(task, description=what, advance=1)

        return measure(candidates, plan, meter, show)


def _plan(candidates: list[Candidate], frames: int | None, quick: bool, competition: Competition) -> Plan:
    if frames is None:
        frames = _quick_frames(candidates, competition) if quick else FRAMES
    return Plan(frames, min(frames, 100), competition)


def _quick_frames(candidates: list[Candidate], competition: Competition) -> int:
    """As many per depth and condition as fit into QUICK_S, paced ones last a hop each."""
    paced_conditions = 2 if competition.processes else 1
    one_each = sum(c.runtime.description.blocks * c.runtime.description.hop_seconds for c in candidates)
    return min(FRAMES, max(20, int(QUICK_S / (paced_conditions * one_each)) - 2 * WARM_UP))


def _cores(text: str) -> tuple[int, ...]:
    try:
        cores = tuple(int(core) for core in text.split(",")) if text else ()
    except ValueError:
        raise UsageError(f"--load-cores {text}: give core numbers with commas between, such as 0,1") from None
    last = (psutil.cpu_count() or 1) - 1
    if any(not 0 <= core <= last for core in cores):
        raise UsageError(f"--load-cores {text}: this machine has cores 0 to {last}")
    return cores
