"""Each torch layer of the stack, written as ONNX nodes. Activations are [frames, features], batch 1.

Every function takes the writer, the torch module and the names of its inputs, and returns names of outputs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from pse_sdk.exporters.graph import FARTHEST, GraphWriter
from torch import Tensor, nn

from pse_sdk.models.blocks import ConvTasNetBlock, E3NetBlock
from pse_sdk.models.encoder import POWER_FLOOR, Bottleneck, Encoder
from pse_sdk.models.head import Head
from pse_sdk.models.norm import MOST_FRAMES, STATISTICS, ChannelNorm

MICROSOFT = "com.microsoft"
QUANTISED_MAX = 64


def write_encoder(g: GraphWriter, encoder: Encoder, windows: str) -> str:
    """The encoder's output, [frames, filters]; under it that of each hop that is looked ahead, as many rows each."""
    if len(encoder.starts) > 1:
        parts = [_columns(g, windows, start, encoder.length) for start in encoder.starts]
        windows = g.one("Concat", *parts, axis=0)
    return g.one("MatMul", windows, g.weight(encoder.weight.t(), "encoder.weight"))


def write_bottleneck(g: GraphWriter, bottleneck: Bottleneck, encoded: str, hops: int, speaker: str) -> str:
    """``encoded`` as `write_encoder` gives it, of ``hops`` hops."""
    features = write_prelu(g, bottleneck.prelu, encoded, "bottleneck.prelu")
    features = write_layer_norm(g, bottleneck.norm, features, "bottleneck.norm")
    now, *ahead = split_hops(g, features, hops)
    z = write_linear(g, bottleneck.projection, now, "bottleneck.projection")
    if bottleneck.power_projection is not None:
        now, *ahead_power = split_hops(g, _log_power(g, bottleneck, encoded), hops)
        z = g.one("Add", z, write_linear(g, bottleneck.power_projection, now, "bottleneck.power"))
        ahead = [part for pair in zip(ahead, ahead_power, strict=True) for part in pair]
    if bottleneck.ahead is not None:
        seen = g.one("Concat", *ahead, axis=1)
        z = g.one("Add", z, write_linear(g, bottleneck.ahead, seen, "bottleneck.ahead"))
    return g.one("Add", z, speaker)


def split_hops(g: GraphWriter, x: str, hops: int) -> list[str]:
    """What stands under each other for each hop, as `write_encoder` has it: [hops * frames, n] to [frames, n] each."""
    return [x] if hops == 1 else g.op("Split", x, outputs=hops, axis=0)


def _log_power(g: GraphWriter, bottleneck: Bottleneck, h: str) -> str:
    squares = g.one("Mul", h, h)
    split = g.constant([bottleneck.pairs, bottleneck.pairs])
    cosine, sine = g.op("Split", squares, split, outputs=2, axis=1)
    power = g.one("Add", g.one("Add", cosine, sine), _scalar(g, POWER_FLOOR))
    return g.one("Add", g.one("Mul", g.one("Log", power), _scalar(g, 1 / 7)), _scalar(g, 1.0))


def write_head(g: GraphWriter, head: Head, z: str, h: str, name: str) -> str:
    read = write_prelu(g, head.prelu, write_layer_norm(g, head.norm, z, f"{name}.norm"), f"{name}.prelu")
    # In floating point also where the rest is int8: two or three channels of a deep z are fifty times as large as
    # the others, so a step between int8 values is as large as those. It costs no time that could be measured.
    masked = write_float_linear(g, head.mask, read, f"{name}.mask")
    windows = g.one("MatMul", g.one("Mul", g.one("Sigmoid", masked), h), g.weight(head.decoder, f"{name}.decoder"))
    return g.one("Pad", windows, g.constant([0, 0, 0, head.padding])) if head.padding else windows


def write_e3net_block(
    g: GraphWriter, block: E3NetBlock, x: str, hidden: str, cell: str, name: str
) -> tuple[str, str, str]:
    """Hidden and cell are [1, channels]; the LSTM operator wants and gives [1, 1, channels]."""
    normalised = g.one("Unsqueeze", write_layer_norm(g, block.lstm_norm, x, f"{name}.lstm_norm"), g.constant([1]))
    y, hidden, cell = write_lstm(g, block.lstm, normalised, hidden, cell, f"{name}.lstm")
    remembered = g.one("Squeeze", y, g.constant([1, 2]))
    inner = write_layer_norm(g, block.feed_norm, g.one("Add", x, remembered), f"{name}.feed_norm")
    inner = write_prelu(g, block.prelu, write_linear(g, block.expand, inner, f"{name}.expand"), f"{name}.prelu")
    z = g.one("Add", remembered, write_linear(g, block.reduce, inner, f"{name}.reduce"))
    return z, g.one("Squeeze", hidden, g.constant([0])), g.one("Squeeze", cell, g.constant([0]))


def write_convtasnet_block(
    g: GraphWriter, block: ConvTasNetBlock, x: str, hidden: str, cell: str, name: str
) -> tuple[str, str, str]:
    """Hidden is [1, (kernel - 1) * width], cell [1, 2 * STATISTICS]."""
    first, second = g.op("Split", cell, g.constant([STATISTICS, STATISTICS]), outputs=2, axis=1)
    y = write_prelu(g, block.expand_prelu, write_linear(g, block.expand, x, f"{name}.expand"), f"{name}.expand_prelu")
    y, first = _write_channel_norm(g, block.expand_norm, y, first, f"{name}.expand_norm")
    history = g.one("Reshape", hidden, g.constant([block.kernel - 1, block.width]))
    extended = g.one("Concat", history, y, axis=0)
    kept = g.one("Slice", extended, g.constant([-(block.kernel - 1)]), g.constant([FARTHEST]), g.constant([0]))
    hidden = g.one("Reshape", kept, g.constant([1, block.hidden_size]))
    convolved = g.one(
        "Conv",
        g.one("Unsqueeze", g.one("Transpose", extended, perm=[1, 0]), g.constant([0])),
        g.weight(block.depthwise.weight, f"{name}.depthwise"),
        g.weight(_of(block.depthwise.bias), f"{name}.depthwise.bias"),
        group=block.width,
    )
    y = g.one("Transpose", g.one("Squeeze", convolved, g.constant([0])), perm=[1, 0])
    y = write_prelu(g, block.depthwise_prelu, y, f"{name}.depthwise_prelu")
    y, second = _write_channel_norm(g, block.depthwise_norm, y, second, f"{name}.depthwise_norm")
    z = write_linear(g, block.reduce, y, f"{name}.reduce")
    return z, hidden, g.one("Concat", first, second, axis=1)


def _write_channel_norm(g: GraphWriter, norm: ChannelNorm, x: str, statistics: str, name: str) -> tuple[str, str]:
    gain, bias = g.weight(norm.gain, f"{name}.gain"), g.weight(norm.bias, f"{name}.bias")
    if norm.kind == "frame":
        return g.one("LayerNormalization", x, gain, bias, axis=-1, epsilon=norm.eps), statistics
    # As ChannelNorm._cumulative: running means of x and x^2, [frames, 1] each.
    count, mean, square = g.op("Split", statistics, g.constant([1, 1, 1]), outputs=3, axis=1)
    frame_mean = g.one("ReduceMean", x, axes=[1], keepdims=1)
    frame_square = g.one("ReduceMean", g.one("Mul", x, x), axes=[1], keepdims=1)
    ones = g.one("Add", g.one("Mul", frame_mean, _scalar(g, 0.0)), _scalar(g, 1.0))
    axis = g.constant(0)
    counts = g.one("Add", count, g.one("CumSum", ones, axis))
    means = g.one("Div", g.one("Add", g.one("Mul", count, mean), g.one("CumSum", frame_mean, axis)), counts)
    squares = g.one("Div", g.one("Add", g.one("Mul", count, square), g.one("CumSum", frame_square, axis)), counts)
    variance = g.one("Relu", g.one("Sub", squares, g.one("Mul", means, means)))
    deviation = g.one("Sqrt", g.one("Add", variance, _scalar(g, norm.eps)))
    y = g.one("Add", g.one("Mul", g.one("Div", g.one("Sub", x, means), deviation), gain), bias)
    counted = g.one("Min", counts, _scalar(g, float(MOST_FRAMES)))
    running = g.one("Concat", counted, means, squares, axis=1)
    return y, g.one("Slice", running, g.constant([-1]), g.constant([FARTHEST]), g.constant([0]))


def write_lstm(g: GraphWriter, lstm: nn.LSTM, x: str, hidden: str, cell: str, name: str) -> tuple[str, str, str]:
    """X is [frames, 1, channels]; hidden and cell are [1, channels] and come out as [1, 1, channels]."""
    parameters = dict(lstm.named_parameters())
    bias = torch.cat([gates(parameters["bias_ih_l0"]), gates(parameters["bias_hh_l0"])])[None]
    # A constant, not a weight: as [1, n] it would pass for a matrix, and a bias keeps full precision.
    biases = g.constant(bias.detach().numpy(), f"{name}.bias")
    states = [g.one("Unsqueeze", state, g.constant([0])) for state in (hidden, cell)]
    weights = {"input": gates(parameters["weight_ih_l0"]), "recurrent": gates(parameters["weight_hh_l0"])}
    if g.precision != "int8":
        floats = [g.weight(weight[None], f"{name}.{part}") for part, weight in weights.items()]
        y, hidden, cell = g.op("LSTM", x, *floats, biases, "", *states, outputs=3, hidden_size=lstm.hidden_size)
        return y, hidden, cell
    matrices, scales = [], []
    for part, weight in weights.items():
        matrix, scale = quantise(weight)
        matrices.append(g.constant(matrix[None], f"{name}.{part}"))
        zero = g.constant(np.zeros((1, len(scale)), np.int8))
        scales += [g.constant(scale[None], f"{name}.{part}.scale"), zero]
    y, hidden, cell = g.op(
        "DynamicQuantizeLSTM", x, *matrices, biases, "", *states, "", *scales,
        outputs=3, hidden_size=lstm.hidden_size, domain=MICROSOFT,
    )  # fmt: skip
    return y, hidden, cell


def write_linear(g: GraphWriter, linear: nn.Linear, x: str, name: str) -> str:
    if g.precision != "int8":
        return write_float_linear(g, linear, x, name)
    bias = "" if linear.bias is None else g.weight(linear.bias, f"{name}.bias")
    matrix, scale = quantise(linear.weight)
    weights = [g.constant(matrix, f"{name}.weight"), g.constant(scale, f"{name}.scale")]
    return g.one("DynamicQuantizeMatMul", x, *weights, "", bias, domain=MICROSOFT)


def write_float_linear(g: GraphWriter, linear: nn.Linear, x: str, name: str) -> str:
    y = g.one("MatMul", x, g.weight(linear.weight.t(), f"{name}.weight"))
    return y if linear.bias is None else g.one("Add", y, g.weight(linear.bias, f"{name}.bias"))


def quantise(weight: Tensor) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """[out, in] -> int8 [in, out] and a scale per output, symmetric.

    Seven bits, not eight: processors without VNNI instructions add pairs of u8 x s8 products in 16 bits, which
    eight bits overflow.
    """
    scale = weight.detach().abs().amax(1).clamp_min(1e-12) / QUANTISED_MAX
    matrix = torch.round(weight.detach() / scale[:, None]).to(torch.int8)
    return matrix.t().contiguous().numpy(), scale.numpy()


def write_layer_norm(g: GraphWriter, norm: nn.LayerNorm, x: str, name: str) -> str:
    gain, bias = g.weight(norm.weight, f"{name}.gain"), g.weight(norm.bias, f"{name}.bias")
    return g.one("LayerNormalization", x, gain, bias, axis=-1, epsilon=norm.eps)


def write_prelu(g: GraphWriter, prelu: nn.PReLU, x: str, name: str) -> str:
    return g.one("PRelu", x, g.weight(prelu.weight, f"{name}.slope"))


def gates(weight: Tensor) -> Tensor:
    """Torch orders the gates input, forget, cell, output; ONNX input, output, forget, cell."""
    i, f, c, o = weight.chunk(4)
    return torch.cat([i, o, f, c])


def _columns(g: GraphWriter, x: str, start: int, count: int) -> str:
    return g.one("Slice", x, g.constant([start]), g.constant([start + count]), g.constant([1]))


def _scalar(g: GraphWriter, value: float) -> str:
    return g.weight(torch.tensor(value), g.unique("scalar"))


def _of(value: Tensor | None) -> Tensor:
    assert value is not None
    return value
