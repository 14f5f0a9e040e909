"""``pse index``: make the index of a data folder from folders of recordings. Needs the ``[train]`` extra."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pse_sdk.errors import PseWarning, not_importable


def index(
    folder: Annotated[Path, typer.Argument(help="Folder of recordings, in the data folder.")],
    kind: Annotated[str, typer.Option(help="What they are: speech, noise, or rir (room responses).")],
    data: Annotated[Path, typer.Option(envvar="PSE_DATA", help="Data folder, to which index.csv is written.")],
    group_level: Annotated[
        int,
        typer.Option(min=0, help="Which folder below names the speaker, kind of noise or room: 1, 2, ...; 0 for none."),
    ] = 0,
    valid: Annotated[float, typer.Option(min=0, max=1, help="Share that is kept for validation; 0: none.")] = 0.05,
) -> None:
    """Add the recordings of a folder to a data folder's index.csv.

    Training and validation share no speaker or room that --group-level names; of a kind of noise both get recordings.
    """
    try:
        from pse_sdk.training.index import index_folder, write_index
    except ImportError as error:
        raise not_importable("training", error, "train") from None
    if kind == "speech" and not group_level and valid:
        warnings.warn("without --group-level nobody knows who speaks: the same voices may train and validate, and "
                      "scores then flatter", PseWarning, stacklevel=1)  # fmt: skip
    rows = index_folder(data, folder, kind, group_level, valid)
    write_index(data, folder, rows)
    counts = Counter(row.split for row in rows)
    groups = {row.speaker or row.category for row in rows} - {""}
    Console(soft_wrap=True, highlight=False).print(
        f"{data / 'index.csv'}: {folder.resolve().name}, {kind}: {counts['train']} recordings to train, "
        f"{counts['valid']} to validate" + (f", {len(groups)} groups" if group_level and groups else ""),
        markup=False,
    )
