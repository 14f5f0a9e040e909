"""The torch model itself as a runtime: the reference that exported files are compared with. Needs ``[torch]``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pse_sdk.runtimes.base import Float32, check_speaker
from pse_sdk.runtimes.description import ModelDescription, pack_matrix

from pse_sdk.errors import ModelError
from pse_sdk.models.checkpoint import load_model
from pse_sdk.models.complexity import complexity
from pse_sdk.models.config import must_stream
from pse_sdk.models.encoder import Bottleneck
from pse_sdk.models.stack import BloomStack, StackState
from pse_sdk.models.window_model import WindowModel


class TorchRuntime:
    """A `BloomStack`, or another model of its interface, behind the `Runtime` protocol."""

    name = "torch"

    def __init__(self, model: WindowModel, description: ModelDescription, path: Path | None = None) -> None:
        self.path = path
        self.model = model
        model.eval()
        self.description = description

    @classmethod
    def load(cls, path: Path) -> TorchRuntime:
        """The weights that ``pse train`` wrote (``.safetensors``). Raises `ModelError` for what cannot stream."""
        stack, training = load_model(path)
        if not isinstance(stack, BloomStack):
            raise ModelError(f"{path}: a pDCCRN runs as an exported file; `pse export` makes one")
        must_stream(stack.config)
        torch.set_num_threads(1)  # as the other runtimes: more make a frame slower
        return cls(stack, describe(stack, path.stem, "fp32", "", training), path)

    def open_stream(self) -> TorchStream:
        return TorchStream(self.model, self.description.channels)


class TorchStream:
    def __init__(self, model: WindowModel, channels: int) -> None:
        self._model, self._channels = model, channels
        self._state: StackState = model.initial_state()
        self._speaker: torch.Tensor | None = None

    @torch.inference_mode()
    def step(self, windows: Float32, depth: int, head: int) -> Float32:
        (enhanced,), hidden, cell = self._model.step_windows(
            torch.from_numpy(np.array(windows, np.float32))[None],
            self._state.hidden,
            self._state.cell,
            depth,
            [head],
            self._speaker,
        )
        self.set_states(hidden[:, 0].numpy(), cell[:, 0].numpy())
        out: Float32 = enhanced[0].numpy()
        return out

    def set_speaker(self, projection: Float32 | None) -> None:
        check_speaker(self._channels, projection)
        self._speaker = None if projection is None else torch.tensor(projection, dtype=torch.float32)[None]

    def states(self) -> tuple[Float32, Float32]:
        return self._state.hidden[:, 0].numpy().copy(), self._state.cell[:, 0].numpy().copy()

    def set_states(self, hidden: Float32, cell: Float32) -> None:
        self._state.hidden[:, 0] = torch.from_numpy(hidden)
        self._state.cell[:, 0] = torch.from_numpy(cell)

    def forget(self, depth: int) -> None:
        self._state.hidden[depth:] = 0
        self._state.cell[depth:] = 0

    def reset(self) -> None:
        self._state = self._model.initial_state()


def describe(
    stack: BloomStack, name: str, precision: str, licence: str, training: Mapping[str, Any]
) -> ModelDescription:
    """What a model file made of ``stack`` says of itself."""
    config, costs, state = stack.config, complexity(stack.config), stack.initial_state()
    return ModelDescription(
        name=name,
        sample_rate=config.sample_rate,
        window=config.window,
        hop=config.hop,
        blocks=config.blocks,
        channels=config.channels,
        hidden_size=state.hidden.shape[2],
        cell_size=state.cell.shape[2],
        macs_per_second=tuple(cost.macs_per_second for cost in costs),
        parameters=tuple(cost.parameters for cost in costs),
        precision=precision,
        licence=licence,
        lookahead=config.lookahead,
        architecture=config.to_dict(),
        training=training,
        **_speaker(stack.bottleneck, training),
    )


def _speaker(bottleneck: Bottleneck, training: Mapping[str, Any]) -> dict[str, Any]:
    """What the description says of the speaker input; nothing for a stack that has none."""
    if bottleneck.speaker is None or bottleneck.anyone is None:
        return {}
    projection = bottleneck.projection_matrix.float().numpy()
    return {
        "anyone": tuple(bottleneck.anyone.detach().float().tolist()),
        "speaker_dim": projection.shape[1],
        "speaker_encoder": str(training.get("speaker_encoder", "")),
        "speaker_projection": pack_matrix(projection),
    }
