"""``pse reproduce bloom``: BLOOM-Net's comparison of training methods on our data. Needs the ``[train]`` extra."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pse_sdk.errors import UsageError


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
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for weights, scores, table and plot.")],
    blocks: Annotated[Blocks, typer.Option(help="Type of the separator blocks.")] = Blocks.BOTH,
    size: Annotated[
        Size, typer.Option(help="tiny: for one CPU core. paper: the papers' own sizes, for a GPU.")
    ] = Size.TINY,
    steps: Annotated[int | None, typer.Option(min=16, help="Budget: optimiser steps of one scalable model.")] = None,
    minutes: Annotated[float | None, typer.Option(min=0.1, help="Choose the budget by time instead.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="Methods trained side by side, one thread each.")] = 1,
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA", help="Folder with index.csv.")] = None,
) -> None:
    """Train a scalable model in every way that BLOOM-Net's Table 1 compares, and in ours; print both tables.

    Go on with the same command: what OUTPUT holds is not trained again.
    """
    try:
        from pse_sdk.training.data import data_folder
        from pse_sdk.training.reproduce import bloom as comparison
        from pse_sdk.training.reproduce.report import Report
    except ImportError as error:
        raise UsageError(f"training needs {error.name}: pip install 'pse-sdk[train]'") from None
    if steps and minutes:
        raise UsageError("--steps and --minutes both set the budget: give one of them")
    folder = data_folder(data)
    kinds = [kind.value for kind in ((Blocks.E3NET, Blocks.CONVTASNET) if blocks is Blocks.BOTH else (blocks,))]
    if minutes is not None and not (output / comparison.SETTINGS).exists():
        steps = comparison.steps_for(minutes, comparison.load_recipes(size.value, kinds), folder, processes)
    jobs = comparison.plan(size.value, kinds, folder, output, steps)
    console = Console(soft_wrap=True, highlight=False)
    report = Report({job.kind: job.recipe for job in jobs})

    def tell(job: comparison.Job, outcome: comparison.Outcome) -> None:
        report.add(job, outcome)
        for row, gains in outcome.rows.items():
            per_depth = "  ".join(f"{gain:5.2f}" for gain in gains.mean(0))
            console.print(f"{job.kind:<10} {row:<10} {per_depth}   ({outcome.seconds:.0f} s)")
        report.write(output)

    comparison.run(jobs, processes, tell)
    for table, findings in zip(report.tables(), report.findings().values(), strict=True):
        console.print(table.to_rich())
        for finding in findings:
            console.print(f"- {finding}", markup=False)
    console.print(f"wrote {output}/bloom.md, bloom.json, bloom.png")
