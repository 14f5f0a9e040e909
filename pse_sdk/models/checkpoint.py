"""Weights as safetensors files that carry their own config: nothing in them is ever executed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from pse_sdk.errors import ModelError
from pse_sdk.files import write_atomically
from pse_sdk.models.config import StackConfig
from pse_sdk.models.pdccrn import Pdccrn
from pse_sdk.models.pdccrn_config import PdccrnConfig
from pse_sdk.models.speaker_encoder import SpeakerEncoder, SpeakerEncoderConfig
from pse_sdk.models.stack import BloomStack

Module = TypeVar("Module", bound=nn.Module)


def save_stack(stack: BloomStack, path: Path, training: Mapping[str, Any]) -> None:
    """Write weights, config, and what is known of the training."""
    _save(stack, stack.config.to_dict(), path, training)


def load_stack(path: Path) -> tuple[BloomStack, dict[str, Any]]:
    """The stack and its training record; raises `ModelError` for anything that is not such a file."""
    return _load(path, lambda config: BloomStack(StackConfig(**config)), "pse train", "model")


def save_pdccrn(model: Pdccrn, path: Path, training: Mapping[str, Any]) -> None:
    """Write weights, config, and what is known of the training."""
    _save(model, model.config.to_dict(), path, training)


def load_model(path: Path) -> tuple[BloomStack | Pdccrn, dict[str, Any]]:
    """The stack or pDCCRN of a file and its training record; raises `ModelError` for any other file."""

    def make(config: dict[str, Any]) -> BloomStack | Pdccrn:
        if "block" in config:
            return BloomStack(StackConfig(**config))
        return Pdccrn(PdccrnConfig(**(config | {"channels": tuple(config["channels"])})))

    return _load(path, make, "pse train", "model")


def save_speaker_encoder(encoder: SpeakerEncoder, path: Path, training: Mapping[str, Any]) -> None:
    """Write weights, config, and what is known of the training."""
    _save(encoder, encoder.config.to_dict(), path, training)


def load_speaker_encoder(path: Path) -> tuple[SpeakerEncoder, dict[str, Any]]:
    """The encoder and its training record; raises `ModelError` for anything that is not such a file."""

    def make(config: dict[str, Any]) -> SpeakerEncoder:
        sizes: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
        return SpeakerEncoder(SpeakerEncoderConfig(**sizes))

    return _load(path, make, "pse train-encoder", "encoder")


def _save(module: nn.Module, config: Mapping[str, object], path: Path, training: Mapping[str, Any]) -> None:
    metadata = {"config": json.dumps(config), "training": json.dumps(training)}
    with write_atomically(path) as temporary:
        save_file({k: v.contiguous() for k, v in module.state_dict().items()}, temporary, metadata)


def _load(
    path: Path, make: Callable[[dict[str, Any]], Module], command: str, name: str
) -> tuple[Module, dict[str, Any]]:
    """What ``make`` makes of the config, with the weights that ``command`` wrote as OUTPUT/``name``.safetensors."""
    if not path.is_file():
        raise ModelError(f"no weights at {path}: `{command}` writes OUTPUT/{name}.safetensors")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            module = make(json.loads(metadata["config"]))
            module.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
            training: dict[str, Any] = dict(json.loads(metadata.get("training", "{}")))
    except (
        SafetensorError, OSError, AttributeError, KeyError, OverflowError, RuntimeError, TypeError, ValueError,
    ) as error:  # fmt: skip
        raise ModelError(f"{path}: not weights that `{command}` wrote ({error})") from error
    return module.eval(), training
