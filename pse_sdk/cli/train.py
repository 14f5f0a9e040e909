"""``pse train``: run a training recipe. Needs the ``[train]`` extra."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pse_sdk.errors import not_importable


def train(
    recipe: Annotated[str, typer.Argument(help="A bundled recipe's name, or a .toml file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for checkpoints and logs.")],
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA", help="Folder with index.csv.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe.")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Processes (CPU, one thread each) or GPUs.")] = 1,
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint in the output folder.")] = False,
    voices: Annotated[
        Path | None, typer.Option(help="Folder of `pse embed-voices`, for recipes with an enrolled voice.")
    ] = None,
    start_from: Annotated[
        Path | None, typer.Option(help="Weights (.safetensors) to begin with; of fewer blocks, to grow them.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that draw mixtures; by default 0, with a GPU up to 8.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(min=0, help="Save and stop after so long; --resume goes on.")] = None,
) -> None:
    """Train a model. The averaged weights end up in OUTPUT/model.safetensors, the best ones in best.safetensors."""
    try:
        from pse_sdk.training.recipe import load_recipe
        from pse_sdk.training.train import train as run
    except ImportError as error:
        raise not_importable("training", error, "train") from None
    run(load_recipe(recipe, settings or ()), data, output, processes, resume, voices, start_from, workers, minutes)
