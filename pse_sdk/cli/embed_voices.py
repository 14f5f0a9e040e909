"""``pse embed-voices``: the embeddings that `pse train` conditions a stack on. Needs the ``[train]`` extra."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pse_sdk.errors import not_importable


def embed_voices(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write train.npz and valid.npz to.")],
    data: Annotated[Path | None, typer.Option(envvar="PSE_DATA", help="Folder with index.csv.")] = None,
    encoder: Annotated[
        Path | None, typer.Option(help="Speaker encoder (.onnx); the one that came with the package if none.")
    ] = None,
    copies: Annotated[int, typer.Option(min=1, help="Damaged copies of each segment to embed.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
) -> None:
    """Embed every voice of the training data, as a poor microphone would have recorded it."""
    try:
        from pse_sdk.training.speaker.embedding import embed_all
    except ImportError as error:
        raise not_importable("training", error, "train") from None
    embed_all(data, output, encoder, copies, jobs=jobs)
    say = Console(stderr=True, soft_wrap=True, highlight=False).print
    say(f"wrote {output / 'train.npz'} and {output / 'valid.npz'}", markup=False)
