"""``pse reproduce bloom``: BLOOM-Net's comparison of training methods. Needs the ``[train]`` and ``[plot]`` extras."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from pse_sdk.errors import UsageError, not_importable

if TYPE_CHECKING:
    from pse_sdk.training.reproduce.bloom import Job, Outcome
    from pse_sdk.training.reproduce.report import Report

# A method of many stages has to give some to each.
FEWEST_STEPS = 16


class Blocks(str, Enum):
    """Which separator blocks to compare with."""

    E3NET = "e3net"
    CONVTASNET = "convtasnet"
    BOTH = "both"


class Size(str, Enum):
    """How large the models are."""

    TINY = "tiny"
    PAPER = "paper"


def bloom(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for weights and scores.")],
    blocks: Annotated[Blocks, typer.Option(help="Type of the separator blocks.")] = Blocks.BOTH,
    size: Annotated[
        Size, typer.Option(help="tiny: for one CPU core. paper: the papers' own sizes, for a GPU.")
    ] = Size.TINY,
    steps: Annotated[
        int | None, typer.Option(min=FEWEST_STEPS, help="Budget: optimiser steps of one scalable model.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(min=0.1, help="Choose the budget by time instead.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="mixing.KEY=VALUE", help="Change what the mixtures of the recipes are made of."),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Methods trained side by side, one thread each.")] = 1,
    page: Annotated[
        Path | None,
        typer.Option(metavar="PAGE.md", help="Where tables go; figures and plot beside it. In OUTPUT if not given."),
    ] = None,
    report_only: Annotated[bool, typer.Option(help="Train nothing; report what OUTPUT holds.")] = False,
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA", help="Folder with index.csv.")] = None,
) -> None:
    """Train a scalable model in every way that BLOOM-Net's Table 1 compares, and in ours; print both tables.

    Go on with the same command: what OUTPUT holds is not trained again.
    """
    try:
        from pse_sdk.training.data import data_folder
        from pse_sdk.training.reproduce import bloom as comparison
        from pse_sdk.training.reproduce.page import check_page
        from pse_sdk.training.reproduce.report import MARK, Report
    except ImportError as error:
        raise not_importable("training", error, "train") from None
    for key in (setting.partition("=")[0].strip() for setting in settings or ()):
        if not key.startswith("mixing."):
            raise UsageError(f"--set {key}: not used here; change mixing.KEY (--minutes and --steps set the budget)")
    if steps and minutes:
        raise UsageError("--steps and --minutes both set the budget: give one of them")
    begun = (output / comparison.SETTINGS).exists()
    if report_only and not begun:
        raise UsageError(f"{output} holds no comparison to report: leave out --report-only, or give its folder")
    folder = None if report_only else data_folder(data)
    page = page or output / "reproduce-bloom.md"
    for parent in (output, page.parent):
        parent.mkdir(parents=True, exist_ok=True)
    check_page(page, MARK)
    kinds = ["e3net", "convtasnet"] if blocks is Blocks.BOTH else [blocks.value]
    if minutes is not None and not begun and folder:
        steps = comparison.steps_for(
            minutes, comparison.load_recipes(size.value, kinds, settings or ()), folder, processes
        )
        if steps < FEWEST_STEPS:
            raise UsageError(f"--minutes {minutes:g} is time for {steps} steps of each method; {FEWEST_STEPS} are the "
                             f"fewest: give {minutes * FEWEST_STEPS / steps:.0f} minutes or more")  # fmt: skip
    jobs = comparison.plan(size.value, kinds, folder, output, steps, settings or ())
    report = Report({job.kind: job.recipe for job in jobs})
    console = Console(soft_wrap=True, highlight=False)

    def tell(job: Job, outcome: Outcome) -> None:
        for row, gains in outcome.rows.items():
            per_depth = "  ".join(f"{gain:5.2f}" for gain in gains.mean(0))
            console.print(f"{job.kind:<10} {row:<10} {per_depth}   ({outcome.seconds:.0f} s)")
        report.add(job, outcome)
        report.write(page)

    asked = [job for job in jobs if job.kind in kinds]
    comparison.run([job for job in jobs if job.done or (job in asked and not report_only)], processes, tell)
    _show(report, console)
    missing = [f"{job.kind} {job.method}" for job in asked if not job.done]
    if missing:
        console.print(f"missing, trained by the same command without --report-only: {', '.join(missing)}")


def _show(report: Report, console: Console) -> None:
    for table, findings in zip(report.tables(), report.findings().values(), strict=True):
        console.print(table.to_rich())
        for finding in findings:
            console.print(f"- {finding}", markup=False)
