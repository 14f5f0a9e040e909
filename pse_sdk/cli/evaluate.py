"""``pse evaluate``: how good models, or files enhanced by anything, are on a set of recordings."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from pse_sdk.errors import UsageError, how_to_install
from pse_sdk.evaluation.compare import check_comparable, differences_between, differences_within
from pse_sdk.evaluation.items import Recordings
from pse_sdk.evaluation.pairs import find_recordings, read_transcripts
from pse_sdk.evaluation.plot import plot_report
from pse_sdk.evaluation.report import Report, load_report, save_report
from pse_sdk.evaluation.run import Scored, evaluate
from pse_sdk.evaluation.scores import METRICS, choose_metrics, columns_of
from pse_sdk.evaluation.systems import find_systems
from pse_sdk.evaluation.tables import Sheet, breakdowns, differences, notes, overview, to_markdown
from pse_sdk.files import check_writable, write_atomically
from pse_sdk.pictures import check_picture
from pse_sdk.runtimes.bundled import DEFAULT_MODEL

# Of a list of mixtures.
ITEMS, SEED = 100, 2026
# Characters of a line, with room for a table of every metric: a long line can be read, a figure cut off cannot.
WIDEST = 1000


def evaluate_command(
    systems: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SYSTEM]...",
            help="A bundled model's name, an .onnx, .tflite or (with torch) .safetensors file, or a folder of enhanced "
            "files, matched by name; "
            f"NAME=SYSTEM to name it in tables. Default: {DEFAULT_MODEL}.",
        ),
    ] = None,
    noisy: Annotated[Path | None, typer.Option(help="Folder of noisy recordings; alone: without a reference.")] = None,
    clean: Annotated[Path | None, typer.Option(help="Folder of clean recordings of the same names.")] = None,
    labels: Annotated[Path | None, typer.Option(help="CSV with name, snr_db, noise of the recordings.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Data folder to mix from if --noisy is not given; PSE_DATA if not given.")
    ] = None,
    items: Annotated[int | None, typer.Option(min=1, help=f"Mixtures. Default: {ITEMS}.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help=f"Of the list of mixtures. Default: {SEED}.")] = None,
    reverberant: Annotated[bool, typer.Option("--reverberant", help="Mixtures in rooms; target: first 50 ms.")] = False,
    transcripts: Annotated[
        Path | None,
        typer.Option(help="Lines of path TAB text, for WER. Mixtures are then of one whole sentence each."),
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="Only write the mixtures to this folder, as pairs of files.")
    ] = None,
    metrics: Annotated[
        str,
        typer.Option(
            help=f"Comma-separated, of {', '.join(METRICS)}. Default: si_sdr,pesq,stoi,tsos (dnsmos is slow), "
            "dnsmos without a reference, and wer if there are transcripts."
        ),
    ] = "",
    depth: Annotated[list[int] | None, typer.Option(help="Only this depth; may be repeated. Default: all.")] = None,
    runtime: Annotated[str, typer.Option(help="For models given by name: auto, onnx or tflite.")] = "auto",
    warm_start: Annotated[
        bool,
        typer.Option("--warm-start", help="Enhance as `pse enhance` does, not as a live stream: see its --warm-start."),
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write a JSON report, item by item.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the tables as Markdown, with every breakdown.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw quality over time and multiplications (.png).")] = None,
    compare: Annotated[Path | None, typer.Option(help="An earlier JSON report of the same items.")] = None,
) -> None:
    """Score systems per depth, SNR and noise class, with 95 % bootstrap intervals; the first against the others."""
    _check(plot, output, markdown)
    for path in filter(None, (output, markdown, plot)):
        if compare and compare.resolve() == path.resolve():
            raise UsageError(f"{path}: is what --compare compares with; write to another file")
    earlier = load_report(compare) if compare else None
    if noisy and (data or write or reverberant or items is not None or seed is not None):
        raise UsageError("--data, --items, --seed, --reverberant and --write are of mixtures: leave them out, or leave "
                         "out --noisy")  # fmt: skip
    recordings = (
        find_recordings(noisy, clean, labels, transcripts)
        if noisy
        else _mixtures(data, items or ITEMS, SEED if seed is None else seed, reverberant, transcripts, (clean, labels))
    )
    progress = Console(stderr=True, soft_wrap=True)
    if write:
        _write(recordings, write, progress)
        return
    words = any(label.said for label in recordings.labels)
    chosen = choose_metrics([m.strip() for m in metrics.split(",") if m.strip()], recordings.has_targets, words)
    found = find_systems(systems or [DEFAULT_MODEL], depth or [], runtime, warm_start)
    if earlier:
        depths = {system.name: system.depths for system in found}
        check_comparable(recordings.title, recordings.labels, depths, columns_of(chosen), earlier)

    def follow(scored: Iterable[Scored], total: int) -> Iterable[Scored]:
        return track(scored, "items", total, console=progress, transient=True, disable=not progress.is_terminal)

    report = evaluate(recordings, found, chosen, jobs, follow)
    if warm_start:
        report = replace(report, title=f"{report.title}, models from a warm start")
    rows = differences_within(report)
    if output:
        save_report(report, output, [row.to_dict() for row in rows])
    try:
        rows += differences_between(report, earlier) if earlier else []
    finally:  # where the recordings turn out to be others, what was measured of them is told all the same
        compared = [differences(rows)] if rows else []
        if markdown:
            with write_atomically(markdown) as temporary:
                temporary.write_text(to_markdown(report, compared), encoding="utf-8")
        if plot:
            plot_report(report, plot)
        # Last: a reader that ends, as `head` does, takes the command with it.
        _print(report, compared)
        for path in filter(None, (output, markdown, plot)):
            progress.print(f"wrote {path}", markup=False, highlight=False)


def _mixtures(
    data: Path | None, items: int, seed: int, reverberant: bool, transcripts: Path | None,
    unused: tuple[Path | None, ...],
) -> Recordings:  # fmt: skip
    if any(unused):
        raise UsageError("--clean and --labels belong to --noisy: give the folder of noisy recordings")
    try:
        from pse_sdk.evaluation.mixtures import MixtureList
        from pse_sdk.training.data import data_folder
    except ImportError as error:
        raise UsageError(f"mixtures need {error.name}: {how_to_install('eval')}, or give pairs of files with "
                         "--noisy and --clean") from None  # fmt: skip
    if data is None and "PSE_DATA" not in os.environ:
        raise UsageError("nothing to evaluate on: give --noisy FOLDER, with --clean FOLDER where there are clean ones, "
                         "or a data folder to mix from, --data FOLDER or PSE_DATA (docs/training.md)")  # fmt: skip
    words = read_transcripts(transcripts) if transcripts else {}
    if transcripts and not words:
        raise UsageError(f"{transcripts}: holds no transcripts")
    return MixtureList(data_folder(data), items, seed, reverberant, words)


def _write(recordings: Recordings, folder: Path, progress: Console) -> None:
    from pse_sdk.evaluation.mixtures import write_recordings

    write_recordings(recordings, folder)
    progress.print(f"wrote {recordings.title} to {folder}", markup=False, highlight=False)


def _print(report: Report, compared: list[Sheet]) -> None:
    """The overview, differences, and the first headline column broken down; the rest is in the Markdown."""
    console = Console(soft_wrap=True, highlight=False, width=WIDEST)
    console.print(report.title, markup=False)
    for sheet in (overview(report), *compared, *breakdowns(report, first_only=True)):
        console.print()
        console.print(sheet.to_rich())
    console.print()
    for line in notes(report):
        console.print(line, markup=False)


def _check(plot: Path | None, *files: Path | None) -> None:
    """Tell of a file that could not be written before the work, not after."""
    if plot:
        check_picture(plot)
    for path in filter(None, files):
        check_writable(path)
    given = [path.resolve() for path in (plot, *files) if path]
    for path in given:
        if given.count(path) > 1:
            raise UsageError(f"{path}: would be written twice; give --output, --markdown and --plot files of their own")
