"""Weights of a stack as a safetensors file that carries its own config: nothing in it is ever executed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from pse_sdk.errors import ModelError
from pse_sdk.files import write_atomically
from pse_sdk.models.config import StackConfig
from pse_sdk.models.stack import BloomStack


def save_stack(stack: BloomStack, path: Path, training: Mapping[str, Any]) -> None:
    """Write weights, config, and what is known of the training."""
    metadata = {"config": json.dumps(stack.config.to_dict()), "training": json.dumps(training)}
    with write_atomically(path) as temporary:
        save_file({k: v.contiguous() for k, v in stack.state_dict().items()}, temporary, metadata)


def load_stack(path: Path) -> tuple[BloomStack, dict[str, Any]]:
    """The stack and its training record; raises `ModelError` for anything that is not such a file."""
    if not path.is_file():
        raise ModelError(f"no weights at {path}: `pse train` writes OUTPUT/model.safetensors")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            stack = BloomStack(StackConfig(**json.loads(metadata["config"])))
            stack.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
            training: dict[str, Any] = json.loads(metadata.get("training", "{}"))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"{path}: not weights that `pse train` wrote ({error})") from error
    return stack.eval(), training
