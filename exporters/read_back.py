"""The weights of an exported stack, read back: for training to go on from a model of which only the file is there.

They are what the file stores: rounded to fp16 or int8 where it is. Names are those that `layers` gives.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from pse_sdk.runtimes import self_test
from pse_sdk.runtimes.description import ModelDescription, read_description
from pse_sdk.runtimes.model_file import existing
from pse_sdk.runtimes.torch import TorchRuntime
from torch import Tensor

from pse_sdk.errors import ModelError
from pse_sdk.models.config import StackConfig
from pse_sdk.models.encoder import EMBEDDING_SCALE
from pse_sdk.models.stack import BloomStack

# torch's names of what every block and head consists of, by what `layers` writes it as.
LINEAR = {"expand", "reduce", "mask"}
LAYER_NORM = {"norm", "lstm_norm", "feed_norm"}
CHANNEL_NORM = {"expand_norm", "depthwise_norm"}
PRELU = {"prelu", "expand_prelu", "depthwise_prelu"}


def read_back(path: Path) -> tuple[BloomStack, dict[str, Any]]:
    """The stack of an ``.onnx`` file that `export_onnx` wrote, and its training record; else `ModelError`.

    Its output must be what the file says that it is.
    """
    try:
        graph = onnx.load(existing(path))
    except (OSError, DecodeError, onnx.checker.ValidationError) as error:
        raise ModelError(f"{path}: weights are read back from .onnx files, and this is none ({error})") from error
    description = read_description({entry.key: entry.value for entry in graph.metadata_props}, str(path))
    if "block" not in description.architecture:
        raise ModelError(f"{path}: weights are read back from stacks only, and this is another model")
    try:
        stored = _Stored({tensor.name: numpy_helper.to_array(tensor) for tensor in graph.graph.initializer})
        training = {**description.training, "speaker_encoder": description.speaker_encoder}
        stack = BloomStack(StackConfig(**description.architecture))
        stack.load_state_dict(_state(stack, stored, description))
        problem = self_test.failure(TorchRuntime(stack, description))
    except (AttributeError, KeyError, OverflowError, RuntimeError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: no stack can be read back from it ({error}); a file of an earlier version has to be "
                         "exported again from its own weights") from error  # fmt: skip
    if problem:
        raise ModelError(f"{path}: its weights were damaged since it was made ({problem}); copy, download or export it "
                         "again")  # fmt: skip
    return stack.eval(), training


class _Stored:
    """The initializers of a graph by name, in full precision."""

    def __init__(self, arrays: dict[str, Any]) -> None:
        self._arrays = arrays

    def __getitem__(self, name: str) -> Tensor:
        """A weight as `GraphWriter.weight` stores it, or a quantised one with its scales."""
        if f"{name}.fp16" in self._arrays:
            return torch.tensor(self._arrays[f"{name}.fp16"].astype(np.float32))
        scale = self._arrays.get(f"{name.removesuffix('.weight')}.scale")
        array = self._arrays[name].astype(np.float32)
        return torch.tensor(array if scale is None else array * scale)


def _state(stack: BloomStack, stored: _Stored, d: ModelDescription) -> dict[str, Tensor]:
    state = {
        "encoder.weight": stored["encoder.weight"].t(),
        **_linear(stored, "bottleneck.projection", "bottleneck.projection"),
        **_norm(stored, "bottleneck.norm", "bottleneck.norm"),
        "bottleneck.prelu.weight": stored["bottleneck.prelu.slope"],
    }
    if stack.bottleneck.power_projection is not None:
        state["bottleneck.power_projection.weight"] = stored["bottleneck.power.weight"].t()
    if stack.bottleneck.ahead is not None:
        state["bottleneck.ahead.weight"] = stored["bottleneck.ahead.weight"].t()
    if stack.bottleneck.speaker is not None:
        matrix = d.project(np.eye(d.speaker_dim, dtype=np.float32))
        state["bottleneck.speaker.weight"] = torch.tensor(matrix) / EMBEDDING_SCALE
        state["bottleneck.anyone"] = torch.tensor(d.anyone)
    for kind, parts in (("block", stack.blocks), ("head", stack.heads)):
        for i, part in enumerate(parts):
            for name, _ in part.named_children():
                state |= _part(stored, f"{kind}{i + 1}.{name}", f"{kind}s.{i}.{name}")
    for i in range(len(stack.heads)):
        state[f"heads.{i}.decoder"] = stored[f"head{i + 1}.decoder"]
    return {name: value.contiguous() for name, value in state.items()}


def _part(stored: _Stored, name: str, key: str) -> dict[str, Tensor]:
    kind = name.rpartition(".")[2]
    if kind in LINEAR:
        return _linear(stored, name, key)
    if kind in LAYER_NORM:
        return _norm(stored, name, key)
    if kind in CHANNEL_NORM:
        return {f"{key}.{which}": stored[f"{name}.{which}"] for which in ("gain", "bias")}
    if kind in PRELU:
        return {f"{key}.weight": stored[f"{name}.slope"]}
    if kind == "lstm":
        return _lstm(stored, name, key)
    return {f"{key}.weight": stored[name], f"{key}.bias": stored[f"{name}.bias"]}  # the depthwise convolution


def _linear(stored: _Stored, name: str, key: str) -> dict[str, Tensor]:
    return {f"{key}.weight": stored[f"{name}.weight"].t(), f"{key}.bias": stored[f"{name}.bias"]}


def _norm(stored: _Stored, name: str, key: str) -> dict[str, Tensor]:
    return {f"{key}.weight": stored[f"{name}.gain"], f"{key}.bias": stored[f"{name}.bias"]}


def _lstm(stored: _Stored, name: str, key: str) -> dict[str, Tensor]:
    biases = stored[f"{name}.bias"][0].chunk(2)
    matrices = (stored[f"{name}.{part}"][0] for part in ("input", "recurrent"))
    out = {}
    for part, matrix, bias in zip(("ih", "hh"), matrices, biases, strict=True):
        # Quantised ones are stored as [in, out], others as the operator wants them, [out, in].
        matrix = matrix if len(matrix) == len(bias) else matrix.t()
        out[f"{key}.weight_{part}_l0"], out[f"{key}.bias_{part}_l0"] = _torch_gates(matrix), _torch_gates(bias)
    return out


def _torch_gates(weight: Tensor) -> Tensor:
    """ONNX orders the gates input, output, forget, cell; torch input, forget, cell, output."""
    i, o, f, c = weight.chunk(4)
    return torch.cat([i, f, c, o])
