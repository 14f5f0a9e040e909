"""``pse train-encoder``: train the speaker encoder. Needs the ``[train]``, ``[export]`` and ``[teacher]`` extras."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pse_sdk.errors import not_importable


def train_encoder(
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for the teacher's embeddings and the encoder.")
    ],
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA", help="Folder with index.csv.")] = None,
    recipe: Annotated[str, typer.Argument(help="A bundled recipe's name, or a .toml file.")] = "speaker-encoder",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe.")
    ] = None,
) -> None:
    """Train a speaker encoder and export it to OUTPUT/encoder.onnx."""
    try:
        from pse_sdk.exporters.speaker_encoder import export_speaker_encoder
        from pse_sdk.models.checkpoint import load_speaker_encoder
        from pse_sdk.training.recipe import load_encoder_recipe
        from pse_sdk.training.speaker.train import train_encoder as run
    except ImportError as error:
        raise not_importable("training", error, "train,export,teacher") from None
    weights = run(load_encoder_recipe(recipe, settings or ()), data, output)
    encoder, training = load_speaker_encoder(weights)
    exported = weights.with_suffix(".onnx")
    export_speaker_encoder(encoder, exported, name=weights.stem, training=training)
    Console(stderr=True, soft_wrap=True).print(f"wrote {weights} and {exported}", markup=False, highlight=False)
