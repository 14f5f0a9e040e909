"""A `SpeakerEncoder` as one ONNX file: audio [samples] in, embedding [dim] out, features included."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from pse_sdk.exporters.describe import fingerprint
from pse_sdk.exporters.graph import FARTHEST, IR_VERSION, OPSET, GraphWriter
from pse_sdk.exporters.layers import gates
from pse_sdk.runtimes.speaker_encoder import EncoderDescription, SpeakerEncoderRuntime
from torch import Tensor, nn

from pse_sdk.errors import ModelError
from pse_sdk.files import write_atomically
from pse_sdk.models.speaker_encoder import LEVEL, SpeakerEncoder

# Smallest cosine between the file's embedding and torch's; rounding the weights costs 0.0005 on speech and up to
# 0.002 on noise, which is what is compared here.
PARITY = 0.99


def export_speaker_encoder(
    encoder: SpeakerEncoder, path: Path, *, name: str, training: Mapping[str, Any]
) -> EncoderDescription:
    """Write ``encoder`` to ``path``, its weights as int8, after comparing it with torch.

    Raises `ModelError`, and writes nothing, if the exported graph does not compute what torch computes.
    """
    encoder = encoder.eval()
    description = EncoderDescription(
        name=name,
        # A voice enrolled with one encoder means nothing to another.
        identity=fingerprint(encoder)[:16],
        sample_rate=encoder.config.sample_rate,
        dim=encoder.config.dim,
        shortest=encoder.config.shortest,
        precision="int8 and fp16 weights",
        training=training,
    )
    with TemporaryDirectory() as folder:
        candidate = Path(folder) / "encoder.onnx"
        onnx.save(_build(encoder, description), candidate)
        _check_parity(encoder, candidate)
        with write_atomically(path) as temporary:
            temporary.write_bytes(candidate.read_bytes())
    return description


def _build(encoder: SpeakerEncoder, description: EncoderDescription) -> onnx.ModelProto:
    g = GraphWriter("fp16")
    x = g.one("Unsqueeze", _features(g, encoder), g.constant([1]))
    for layer in range(encoder.config.layers):
        x = _write_lstm_layer(g, encoder.lstm, layer, x)
    settled = g.one("Slice", x, g.constant([encoder.config.settling]), g.constant([FARTHEST]), g.constant([0]))
    vectors = g.one("Relu", _write_linear(g, encoder.linear, g.one("Squeeze", settled, g.constant([1])), "linear"))
    mean = g.one("ReduceMean", g.one("LpNormalization", vectors, axis=1, p=2), axes=[0], keepdims=1)
    embedding = g.one("LpNormalization", _write_linear(g, encoder.projection, mean, "projection"), axis=1, p=2)
    g.into("Squeeze", [embedding, g.constant([0])], "embedding")
    graph = g.graph(
        description.name,
        [helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["samples"])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [description.dim])],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="pse-sdk",
    )
    helper.set_model_props(model, description.to_metadata())
    onnx.checker.check_model(model)
    return model


def _features(g: GraphWriter, encoder: SpeakerEncoder) -> str:
    """`SpeakerEncoder.features`: "audio" [samples] -> [frames, mels]."""
    config = encoder.config
    rms = g.one("Sqrt", g.one("ReduceMean", g.one("Mul", "audio", "audio"), axes=[0], keepdims=1))
    level = g.one("Div", _scalar(g, LEVEL), g.one("Add", rms, _scalar(g, 1e-8)))
    signal = g.one("Unsqueeze", g.one("Mul", "audio", level), g.constant([0, 2]))
    taper = g.constant(encoder.taper.numpy(), "taper")
    spectrum = g.one("STFT", signal, g.constant(config.hop), taper, g.constant(config.fft), onesided=1)
    energy = g.one("ReduceSum", g.one("Mul", spectrum, spectrum), g.constant([0, 3]), keepdims=0)
    return g.one("MatMul", energy, g.constant(encoder.mel.t().contiguous().numpy(), "mel"))


def _write_lstm_layer(g: GraphWriter, lstm: nn.LSTM, layer: int, x: str) -> str:
    """[frames, 1, inputs] -> [frames, 1, hidden]."""
    weights = dict(lstm.named_parameters())
    name = f"lstm{layer + 1}"
    bias = torch.cat([gates(weights[f"bias_{kind}_l{layer}"]) for kind in ("ih", "hh")])[None]
    # The first layer reads mel energies, which span more than eight bits of weights can weigh.
    store = g.weight if layer == 0 else partial(_int8, g)
    matrices = [store(gates(weights[f"weight_{kind}_l{layer}"])[None], f"{name}.{kind}") for kind in ("ih", "hh")]
    biases = g.constant(bias.detach().numpy(), f"{name}.bias")
    return g.one("Squeeze", g.one("LSTM", x, *matrices, biases, hidden_size=lstm.hidden_size), g.constant([1]))


def _write_linear(g: GraphWriter, linear: nn.Linear, x: str, name: str) -> str:
    return g.one("Gemm", x, _int8(g, linear.weight, f"{name}.weight"), g.weight(linear.bias, f"{name}.bias"), transB=1)


def _int8(g: GraphWriter, weight: Tensor, name: str) -> str:
    """A matrix [..., out, in] stored as int8 with a scale per output; it computes in float."""
    scale = weight.detach().abs().amax(-1).clamp_min(1e-12) / 127
    stored = torch.round(weight.detach() / scale[..., None]).to(torch.int8)
    names = [g.constant(stored.numpy(), name), g.constant(scale.flatten().numpy(), f"{name}.scale")]
    return g.one("DequantizeLinear", *names, axis=weight.ndim - 2)


def _scalar(g: GraphWriter, value: float) -> str:
    return g.constant(np.float32(value))


def _check_parity(encoder: SpeakerEncoder, path: Path) -> None:
    runtime = SpeakerEncoderRuntime(path)
    rng = np.random.default_rng(0)
    for seconds in (1.2, 2.0, 7.3):
        audio = (0.1 * rng.standard_normal(int(seconds * encoder.config.sample_rate))).astype(np.float32)
        with torch.inference_mode():
            expected = encoder(torch.from_numpy(audio)[None])[0].numpy()
        cosine = float(expected @ runtime.embed(audio))
        if not cosine >= PARITY:
            raise ModelError(f"the exported speaker encoder differs from torch: cosine {cosine:.4f} on {seconds} s "
                             f"of noise, at least {PARITY} is needed; nothing was written")  # fmt: skip
