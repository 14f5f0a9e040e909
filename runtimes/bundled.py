"""The models that came with the package: found by name, and checked against the sum on their card."""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any

from pse_sdk.errors import ModelError

DEFAULT_MODEL = "small"


def bundled_models() -> list[str]:
    """Names of the models that came with the package, the default one first."""
    names = sorted(path.stem for path in _folder().glob("*.onnx"))
    return sorted(names, key=lambda name: name != DEFAULT_MODEL)


def model_card(name: str) -> dict[str, Any]:
    """What is known of a bundled model: data, recipe, seed, scores per depth, sha256."""
    path = _folder() / f"{name}.json"
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"model {name!r}: its card {path} cannot be read; install pse-sdk again") from error
    return card


def find_model(model: str | Path | None) -> Path:
    """The file of a bundled model (by name; None for the default one) or of a user's own (a path).

    A bundled file must have the sha256 that its card states.
    """
    name = DEFAULT_MODEL if model is None else str(model)
    if Path(name).suffix in (".onnx", ".safetensors"):
        return Path(name)
    if name not in bundled_models():
        raise ModelError(f"unknown model {name!r}: choose one of {', '.join(bundled_models())}, "
                         "or give the path of an .onnx file")  # fmt: skip
    path = _folder() / f"{name}.onnx"
    if hashlib.sha256(path.read_bytes()).hexdigest() != model_card(name).get("sha256"):
        raise ModelError(f"model {name!r}: {path} is not the file that was shipped (its sha256 differs from "
                         "its card's); install pse-sdk again")  # fmt: skip
    return path


def _folder() -> Path:
    return Path(str(resources.files("pse_sdk.assets")))
