"""A `Pdccrn` as an ONNX file with the inputs and outputs of a stack of one block.

``hidden`` holds the frames that the convolutions keep and the LSTM's output, ``cell`` the LSTM's cell, ``speaker`` the
embedding that joins the LSTM's input. Batch normalisations are folded into the convolutions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from pse_sdk.exporters.describe import sign
from pse_sdk.exporters.graph import FARTHEST, GraphWriter
from pse_sdk.exporters.layers import write_linear, write_lstm, write_prelu
from pse_sdk.exporters.onnx import finish
from pse_sdk.exporters.parity import Precision, write_checked
from pse_sdk.runtimes.description import ModelDescription, pack_matrix
from torch import Tensor, nn

from pse_sdk.errors import ModelError
from pse_sdk.models.complex_layers import ComplexConv, ComplexTransposedConv
from pse_sdk.models.complexity import pdccrn_complexity
from pse_sdk.models.encoder import EMBEDDING_SCALE
from pse_sdk.models.pdccrn import MODULUS_FLOOR, Pdccrn


def export_pdccrn(
    model: Pdccrn,
    path: Path,
    *,
    name: str,
    precision: Precision = "fp16",
    licence: str = "Apache-2.0",
    training: Mapping[str, Any] | None = None,
) -> ModelDescription:
    """Write ``model`` to ``path`` after checking it against torch, frame by frame; else raise `ModelError`."""
    model.eval()
    description = sign(describe_pdccrn(model, name, precision, licence, training or {}), model)
    write_checked(build_pdccrn(model, description, precision).SerializeToString(), model, path, precision)
    return description


def describe_pdccrn(
    model: Pdccrn, name: str, precision: str, licence: str, training: Mapping[str, Any]
) -> ModelDescription:
    """What a model file made of ``model`` says of itself."""
    config, state, cost = model.config, model.initial_state(), pdccrn_complexity(model.config)
    speaker: dict[str, Any] = {}
    if model.anyone is not None:
        speaker = {
            "anyone": tuple(model.anyone.detach().float().tolist()),
            "speaker_dim": config.speaker_dim,
            "speaker_encoder": str(training.get("speaker_encoder", "")),
            "speaker_projection": pack_matrix(EMBEDDING_SCALE * np.eye(config.speaker_dim, dtype=np.float32)),
        }
    return ModelDescription(
        name=name,
        sample_rate=config.sample_rate,
        window=config.window,
        hop=config.hop,
        blocks=1,
        # The format has a `speaker` input for every model; one that is not personalised leaves it unread.
        channels=max(1, config.speaker_dim),
        hidden_size=state.hidden.shape[2],
        cell_size=state.cell.shape[2],
        macs_per_second=(cost.macs_per_second,),
        parameters=(cost.parameters,),
        precision=precision,
        licence=licence,
        architecture=config.to_dict(),
        training=training,
        **speaker,
    )


def build_pdccrn(model: Pdccrn, description: ModelDescription, precision: Precision) -> onnx.ModelProto:
    """The graph, with its description in the metadata; nothing is checked yet."""
    if precision == "int8":
        raise ModelError("a pDCCRN is exported as fp32 or fp16: ONNX has no integer transposed convolution")
    g = GraphWriter(precision)
    spectrum = _write_analysis(g, model)
    *before, remembered = _write_unpacking(g, model)
    x, skips, kept = spectrum, [], []
    for i, conv in enumerate(model.encoder):
        assert isinstance(conv, ComplexConv)
        kept.append(_last_frame(g, x))
        x = _write_conv(g, conv, x, before[i], f"encoder{i + 1}")
        skips.append(x)
    x, remembered, cell = _write_recurrence(g, model, x, remembered)
    for i, conv in enumerate(model.decoder):
        assert isinstance(conv, ComplexTransposedConv)
        both = g.one("Concat", x, skips.pop(), axis=1)
        kept.append(_last_frame(g, both))
        x = _write_transposed_conv(g, conv, both, before[len(model.encoder) + i], f"decoder{i + 1}")
    _write_synthesis(g, model, x, spectrum)
    flat = [g.one("Reshape", frame, g.constant([1, -1])) for frame in kept]
    g.into("Concat", [*flat, remembered], "hidden_out", axis=1)
    g.into("Identity", [cell], "cell_out")
    return finish(g, description)


def _write_analysis(g: GraphWriter, model: Pdccrn) -> str:
    """Windows [frames, window] -> spectrum [1, 2, frames, bins]."""
    # Constants, not weights: the transform keeps full precision.
    spectrum = g.one("MatMul", "windows", g.constant(model.analysis.t().contiguous().numpy(), "analysis"))
    parts = g.one("Reshape", spectrum, g.constant([0, 2, model.config.bins]))
    return g.one("Unsqueeze", g.one("Transpose", parts, perm=[1, 0, 2]), g.constant([0]))


def _write_unpacking(g: GraphWriter, model: Pdccrn) -> list[str]:
    """The kept frames, [1, channels, 1, bins] each, and the LSTM's output [1, lstm]."""
    shapes = model.history_shapes()
    sizes = g.constant([*(channels * bins for channels, bins in shapes), model.config.lstm])
    *frames, remembered = g.op("Split", "hidden", sizes, outputs=len(shapes) + 1, axis=1)
    return [
        *(g.one("Reshape", f, g.constant([1, c, 1, n])) for f, (c, n) in zip(frames, shapes, strict=True)),
        remembered,
    ]


def _write_conv(g: GraphWriter, conv: ComplexConv, x: str, before: str, name: str) -> str:
    weight, bias = fold(conv.matrix(), None, conv.norm, outputs=0)
    extended = g.one("Concat", before, x, axis=2)
    pads = [0, conv.padding, 0, conv.padding]
    y = g.one("Conv", extended, g.weight(weight, name), g.weight(bias, f"{name}.bias"), strides=[1, 2], pads=pads)
    return write_prelu(g, conv.prelu, y, f"{name}.prelu")


def _write_transposed_conv(g: GraphWriter, conv: ComplexTransposedConv, x: str, before: str, name: str) -> str:
    weight, bias = fold(conv.matrix(), conv.bias, conv.norm, outputs=1)
    start, end, frames = (g.constant([n]) for n in (0, -1, 2))
    earlier = g.one("Slice", g.one("Concat", before, x, axis=2), start, end, frames)
    y = g.one(
        "ConvTranspose",
        g.one("Concat", earlier, x, axis=1),
        g.weight(weight, name),
        g.weight(bias, f"{name}.bias"),
        strides=[1, 2],
        pads=[0, conv.padding, 0, conv.padding],
        output_padding=[0, 1],
    )
    return y if conv.prelu is None else write_prelu(g, conv.prelu, y, f"{name}.prelu")


@torch.no_grad()
def fold(weight: Tensor, bias: Tensor | None, norm: nn.BatchNorm2d | None, outputs: int) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that does what it and its normalisation did.

    ``outputs`` is the dimension of ``weight`` that counts output channels.
    """
    bias = torch.zeros(weight.shape[outputs]) if bias is None else bias
    if norm is None:
        return weight, bias
    assert norm.running_mean is not None
    assert norm.running_var is not None
    gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    shape = [-1 if i == outputs else 1 for i in range(weight.ndim)]
    return weight * gain.view(shape), norm.bias + (bias - norm.running_mean) * gain


def _write_recurrence(g: GraphWriter, model: Pdccrn, x: str, hidden: str) -> tuple[str, str, str]:
    """X [1, channels, frames, bins] keeps its shape; hidden and cell are [1, lstm]."""
    channels, bins = 2 * model.config.channels[-1], model.config.lowest_bins
    features = g.one("Reshape", g.one("Transpose", x, perm=[2, 0, 1, 3]), g.constant([0, 0, channels * bins]))
    if model.anyone is not None:
        frames = g.one("Slice", g.one("Shape", features), g.constant([0]), g.constant([2]))
        shape = g.one("Concat", frames, g.constant([model.config.speaker_dim]), axis=0)
        features = g.one("Concat", features, g.one("Expand", "speaker", shape), axis=2)
    y, hidden, cell = write_lstm(g, model.lstm, features, hidden, "cell", "lstm")
    y = write_linear(g, model.projection, g.one("Squeeze", y, g.constant([1, 2])), "projection")
    y = g.one("Transpose", g.one("Reshape", y, g.constant([0, channels, bins])), perm=[1, 0, 2])
    hidden, cell = (g.one("Squeeze", state, g.constant([0])) for state in (hidden, cell))
    return g.one("Unsqueeze", y, g.constant([0])), hidden, cell


def _write_synthesis(g: GraphWriter, model: Pdccrn, mask: str, spectrum: str) -> None:
    """As `Pdccrn._mask`: mask and spectrum [1, 2, frames, bins] -> ``enhanced`` [frames, window]."""
    square = g.one("ReduceSum", g.one("Mul", mask, mask), g.constant([1]), keepdims=1)
    modulus = g.one("Sqrt", g.one("Add", square, g.constant(np.float32(MODULUS_FLOOR))))
    bounded = g.one("Mul", mask, g.one("Div", g.one("Tanh", modulus), modulus))
    halves = g.constant([1, 1])
    m_re, m_im = g.op("Split", bounded, halves, outputs=2, axis=1)
    x_re, x_im = g.op("Split", spectrum, halves, outputs=2, axis=1)
    real = g.one("Sub", g.one("Mul", x_re, m_re), g.one("Mul", x_im, m_im))
    imaginary = g.one("Add", g.one("Mul", x_re, m_im), g.one("Mul", x_im, m_re))
    y = g.one("Squeeze", g.one("Concat", real, imaginary, axis=3), g.constant([0, 1]))
    g.into("MatMul", [y, g.constant(model.synthesis.t().contiguous().numpy(), "synthesis")], "enhanced")


def _last_frame(g: GraphWriter, x: str) -> str:
    return g.one("Slice", x, g.constant([-1]), g.constant([FARTHEST]), g.constant([2]))
