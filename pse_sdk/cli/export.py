"""``pse export``: trained weights to a model file, or back. Needs the ``[export]`` or ``[tflite-export]`` extra."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from pse_sdk.errors import UsageError, not_importable
from pse_sdk.files import check_writable, write_atomically
from pse_sdk.runtimes.bundled import card_path, check_card, checksum, find_model
from pse_sdk.runtimes.native_log import hold_back

if TYPE_CHECKING:
    from pse_sdk.runtimes.description import ModelDescription


class Precision(str, Enum):
    """How weights are stored, and for int8 also computed with."""

    fp32 = "fp32"
    fp16 = "fp16"
    int8 = "int8"


class Format(str, Enum):
    """Kinds of model files: ONNX Runtime's and LiteRT's."""

    onnx = "onnx"
    tflite = "tflite"


def export(
    weights: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL.safetensors",
            help="What `pse train` or `pse reproduce` wrote; or a bundled model's name or .onnx file, to read back.",
        ),
    ],
    output: Annotated[
        Path, typer.Argument(metavar="OUT", help="OUT.onnx or OUT.tflite; OUT.safetensors for weights read back.")
    ],
    kind: Annotated[
        Format | None, typer.Option("--format", help="Kind of file; what OUT's name says if not given.")
    ] = None,
    precision: Annotated[
        Precision | None, typer.Option(help="Weights as fp32, fp16 or int8; fp16 if not given.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What the model calls itself; OUT if not given.")] = None,
) -> None:
    """Export trained weights as one file that runs at any depth, checked against torch, with a card beside it.

    To OUT.safetensors: read the weights of an exported stack back, rounded as it stores them, for training to go on.
    """
    check_writable(output)
    if output.suffix == ".safetensors" and kind is None:
        if precision or name:
            raise UsageError("weights are read back as the file stores them: leave out --precision and --name")
        _read_back(weights, output)
        return
    if output.suffix not in [f".{known.value}" for known in ([kind] if kind else Format)]:
        raise UsageError(f"{output}: the name of a model file ends in .{kind.value if kind else 'onnx or .tflite'}")
    check_writable(card_path(output))
    write, model, training = _exporter(Format(output.suffix[1:]), weights)
    rounded = (precision or Precision.fp16).value
    description = write(model, output, name=name or output.stem, precision=rounded, training=training)
    with write_atomically(card_path(output)) as temporary:
        card = {
            "name": description.name,
            "sha256": checksum(output),
            "precision": description.precision,
            "weights": description.weights,
            "training": training,
        }
        temporary.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    depths = "1 depth" if description.blocks == 1 else f"{description.blocks} depths"
    Console(stderr=True, soft_wrap=True).print(
        f"wrote {output}: {depths}, {description.precision}, {output.stat().st_size / 1e6:.1f} MB",
        markup=False,
        highlight=False,
    )


def _read_back(model: Path, output: Path) -> None:
    path = find_model(str(model))
    check_card(path)
    try:
        from pse_sdk.exporters.read_back import read_back
        from pse_sdk.models.checkpoint import save_stack
    except ImportError as error:
        raise not_importable("reading weights back", error, "export") from None
    stack, training = read_back(path)
    save_stack(stack, output, training)
    Console(stderr=True, soft_wrap=True).print(
        f"wrote {output}: the weights of {path.name}", markup=False, highlight=False
    )


def _exporter(kind: Format, weights: Path) -> tuple[Callable[..., ModelDescription], Any, dict[str, Any]]:
    """What writes files of this kind for the model in ``weights``, that model, and its training record."""
    extra = "export" if kind is Format.onnx else "tflite-export"
    try:
        from pse_sdk.models.checkpoint import load_model
        from pse_sdk.models.pdccrn import Pdccrn

        model, training = load_model(weights)
        if isinstance(model, Pdccrn):
            if kind is not Format.onnx:
                raise UsageError(f"{weights}: a pDCCRN is exported as .onnx only")
            from pse_sdk.exporters.pdccrn import export_pdccrn

            return export_pdccrn, model, training
        if kind is Format.onnx:
            from pse_sdk.exporters.onnx import export_onnx

            return export_onnx, model, training
        with hold_back(".*"):  # the converter's libraries announce themselves
            from pse_sdk.exporters.tflite import export_tflite

        return export_tflite, model, training
    except ImportError as error:
        raise not_importable(f"exporting to .{kind.value}", error, extra) from None
