"""A `BloomStack` as one TFLite file: a signature per depth, one set of weights.

``depth_l`` (windows [1, window], speaker [channels], hidden [blocks, hidden_size], cell [blocks, cell_size]) runs
blocks 1..l and head l; it gives ``enhanced`` [1, window] and the states, and ``features`` and ``head_inputs`` [l,
channels]. ``head_k`` (features, head_input: row k of head_inputs) gives ``enhanced`` of a shallower head, for frames on
which blocks that woke up run unheard. Weights are stored once, whichever signatures use them.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import litert_torch
import torch
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from ai_edge_quantizer import qtyping, quantizer
from pse_sdk.exporters.describe import describe_export
from pse_sdk.exporters.parity import Precision, write_checked
from pse_sdk.exporters.signatures import DepthSignature, HeadSignature, frame_stack
from pse_sdk.runtimes.description import ModelDescription
from pse_sdk.runtimes.native_log import hold_back

from pse_sdk.models.config import must_stream
from pse_sdk.models.stack import BloomStack

MATRIX = qtyping.TFLOperationName.FULLY_CONNECTED
# The encoder's, the decoders' and the masks' matrices, by the names of what they compute: a signature's outputs or, in
# a stack that looks ahead, what stands before them. As in the ONNX exporter they stay floating-point in int8: the
# filterbanks take 8 us a frame for it and 10 dB off the error.
IN_FLOAT = r".*(features_output|enhanced_output|(Encoder_encoder|Head_head|Linear_mask);\d+)"
HALF = qtyping.OpQuantizationConfig(
    weight_tensor_config=qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT),
    compute_precision=qtyping.ComputePrecision.FLOAT,
    explicit_dequantize=True,
)


def export_tflite(
    stack: BloomStack,
    path: Path,
    *,
    name: str,
    precision: Precision = "fp16",
    licence: str = "Apache-2.0",
    training: Mapping[str, Any] | None = None,
) -> ModelDescription:
    """Write ``stack`` to ``path`` after checking it against torch at every depth and for random depth changes.

    Raises `ModelError`, and writes nothing, if the file does not compute what torch computes.
    """
    description = describe_export(stack, name, precision, licence, training or {})
    write_checked(build(stack, description, precision), stack, path, precision)
    return description


def build(stack: BloomStack, description: ModelDescription, precision: Precision) -> bytes:
    """The file's content, with its description in the metadata; nothing is checked yet."""
    must_stream(stack.config)
    # The converter and the quantiser report every step to both outputs.
    with hold_back(".*"), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        content = _quantise(_convert(stack), precision)
    return _with_metadata(content, description.to_metadata())


def _convert(stack: BloomStack) -> bytes:
    config, state = stack.config, stack.initial_state()
    frames = frame_stack(stack)
    depth_inputs = {
        "windows": torch.zeros(1, config.window),
        "speaker": torch.zeros(config.channels),
        "hidden": state.hidden[:, 0],
        "cell": state.cell[:, 0],
    }
    head_inputs = {"features": torch.zeros(1, config.filters), "head_input": torch.zeros(1, config.channels)}
    converter = litert_torch
    for n in range(1, config.blocks + 1):
        converter = converter.signature(f"depth_{n}", DepthSignature(frames, n).eval(), sample_kwargs=depth_inputs)
        converter = converter.signature(f"head_{n}", HeadSignature(frames, n).eval(), sample_kwargs=head_inputs)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "float.tflite"
        converter.convert().export(str(path))
        return path.read_bytes()


def _quantise(content: bytes, precision: Precision) -> bytes:
    if precision == "fp32":
        return content
    recipe = quantizer.Quantizer(content)
    if precision == "int8":
        recipe.add_dynamic_config(".*", MATRIX, num_bits=8)
    halves = IN_FLOAT if precision == "int8" else ".*"
    recipe.update_quantization_recipe(halves, MATRIX, HALF, quantizer.AlgorithmName.FLOAT_CASTING)
    return bytes(recipe.quantize().quantized_model)


def _with_metadata(content: bytes, metadata: Mapping[str, str]) -> bytes:
    """``content`` with named texts, and all of its weights inside the flatbuffer, where old readers look for them."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    model.metadata = model.metadata or []
    for name, text in metadata.items():
        buffer = schema.BufferT()
        buffer.data = list(text.encode())
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, len(model.buffers)
        model.buffers.append(buffer)
        model.metadata.append(entry)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
