"""``pse reproduce e3net``: E3Net against pDCCRN. Needs the ``[train]``, ``[export]`` and ``[eval]`` extras."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pse_sdk.errors import UsageError, not_importable
from pse_sdk.evaluation.scores import choose_metrics

MINUTES = 5.0
# What this takes of a recipe: the models and the schedule are the comparison's own.
USED = {
    "seed", "batch", "learning_rate", "weight_decay", "gradient_clip", "precision", "snr_weight", "spectral_weight",
    "over_suppression",
}  # fmt: skip


def e3net(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for weights and logs.")],
    minutes: Annotated[
        float | None, typer.Option(help="Training of each model, in minutes of processor time; 5 if not given.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Train each model for so many steps instead.")] = None,
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA", help="Folder with index.csv.")] = None,
    page: Annotated[
        Path | None,
        typer.Option(metavar="PAGE.md", help="Where the tables go, figures and plot beside it; else in OUTPUT."),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe.")
    ] = None,
    turns: Annotated[int, typer.Option(min=1, help="Turns of 50 frames in which speed is measured.")] = 6,
    speed_only: Annotated[bool, typer.Option(help="Measure only the speed; keep what is known of quality.")] = False,
    quality_only: Annotated[bool, typer.Option(help="Train and score only; keep what is known of speed.")] = False,
) -> None:
    """Train E3Net (2, 4, 8 blocks) and pDCCRN (large, small) equally long, and print size, speed and quality.

    A model that OUTPUT holds already, trained with the same settings, is not trained again.
    """
    try:
        from pse_sdk.training.data import data_folder
        from pse_sdk.training.recipe import load_recipe
        from pse_sdk.training.reproduce.e3net import report, run
        from pse_sdk.training.reproduce.e3net.budget import Budget
        from pse_sdk.training.reproduce.page import check_page
    except ImportError as error:
        raise not_importable("this", error, "train,export,eval") from None
    if speed_only and quality_only:
        raise UsageError("--speed-only and --quality-only leave nothing to do: give at most one of them")
    for key in (setting.partition("=")[0].strip() for setting in settings or ()):
        if key not in USED and not key.startswith("mixing."):
            raise UsageError(f"--set {key}: not used here; change {', '.join(sorted(USED))} or mixing.KEY (--minutes "
                             "and --steps set the budget)")  # fmt: skip
    budget = Budget(MINUTES if minutes is None and steps is None else minutes, steps)
    recipe = load_recipe("e3net-comparison", settings or ())
    page = page or output / "reproduce-e3net.md"
    for parent in (output, page.parent):
        parent.mkdir(parents=True, exist_ok=True)
    check_page(page, report.MARK)
    folder = None
    if not speed_only:
        folder = data_folder(data)
        choose_metrics(["pesq"], has_targets=True, has_words=False)
    results = report.Results.read(page.with_suffix(".json"))
    tell = Console(stderr=True, soft_wrap=True).print

    def keep() -> None:
        run.write(results, page)

    if not quality_only:
        run.measure_all_speeds(results, turns, tell)
        keep()
    if folder:
        run.measure_all_qualities(results, recipe, budget, folder, output, keep, tell)
    console = Console()
    for table in report.terminal_tables(results):
        console.print(table)
    console.print(report.verdict(results))
