"""``pse export``: trained weights to a model file. Needs the ``[export]`` extra."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pse_sdk.errors import UsageError
from pse_sdk.files import write_atomically
from pse_sdk.runtimes.bundled import card_path, checksum


class Precision(str, Enum):
    """How weights are stored, and for int8 also computed with."""

    fp32 = "fp32"
    fp16 = "fp16"
    int8 = "int8"


def export(
    weights: Annotated[Path, typer.Argument(metavar="MODEL.safetensors", help="What `pse train` wrote.")],
    output: Annotated[Path, typer.Argument(metavar="OUT.onnx")],
    precision: Annotated[Precision, typer.Option(help="Weights as fp32, fp16 or int8.")] = Precision.fp16,
    name: Annotated[str | None, typer.Option(help="What the model calls itself; OUT if not given.")] = None,
) -> None:
    """Export trained weights as one ONNX file that runs at any depth, checked against torch, with a card beside it."""
    try:
        from pse_sdk.exporters.onnx import export_onnx
        from pse_sdk.models.checkpoint import load_stack
    except ImportError as error:
        raise UsageError(f"exporting needs {error.name}: pip install 'pse-sdk[export]'") from None
    if output.suffix != ".onnx":
        raise UsageError(f"{output}: the name of a model file ends in .onnx")
    stack, training = load_stack(weights)
    description = export_onnx(stack, output, name=name or output.stem, precision=precision.value, training=training)
    with write_atomically(card_path(output)) as temporary:
        card = {"name": description.name, "sha256": checksum(output), "training": training}
        temporary.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    Console(stderr=True, soft_wrap=True).print(
        f"wrote {output}: {description.blocks} depths, {precision.value}, {output.stat().st_size / 1e6:.1f} MB",
        highlight=False,
    )
