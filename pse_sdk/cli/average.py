"""``pse average``: the mean of trained weights. Needs the ``[train]`` extra."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pse_sdk.errors import not_importable
from pse_sdk.files import check_writable


def average(
    weights: Annotated[list[Path], typer.Argument(help="Two files or more that `pse train` wrote.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .safetensors file to write.")],
    shares: Annotated[
        list[float] | None, typer.Option("--share", help="One for each file; all alike if not given.")
    ] = None,
) -> None:
    """Average trained weights: of stages that started from one another, the mean forgets less than the last."""
    try:
        from pse_sdk.training.soup import average as run
    except ImportError as error:
        raise not_importable("averaging", error, "train") from None
    check_writable(output)
    run(weights, shares or [1.0] * len(weights), output)
    Console(stderr=True, soft_wrap=True).print(f"wrote {output}", markup=False, highlight=False)
