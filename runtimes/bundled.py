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
    return _read_card(_folder() / f"{name}.onnx")


def find_model(model: str | Path | None) -> Path:
    """The file of a bundled model (by name; None for the default one) or of a user's own (a path).

    The file must have the sha256 that its card states: `card_path`, which bundled models
    always and other models may have.
    """
    name = DEFAULT_MODEL if model is None else str(model)
    path = Path(name)
    own = path.suffix in (".onnx", ".safetensors")
    if not own:
        if name not in bundled_models():
            raise ModelError(f"unknown model {name!r}: choose one of {', '.join(bundled_models())}, "
                             "or give the path of an .onnx file")  # fmt: skip
        path = _folder() / f"{name}.onnx"
    if path.is_file() and (not own or card_path(path).exists()):
        _check_sum(path, "export it again" if own else "install pse-sdk again")
    return path


def speaker_encoder_path() -> Path:
    """The speaker encoder that came with the package, checked against the sum on its card."""
    path = _folder() / "speaker" / "encoder.onnx"
    if path.is_file():
        _check_sum(path, "install pse-sdk again")
    return path


def card_path(model: Path) -> Path:
    """Where the card of a model file lies: ``small.onnx.json`` beside ``small.onnx``."""
    return model.with_name(f"{model.name}.json")


def checksum(model: Path) -> str:
    """The sha256 that a card states."""
    return hashlib.sha256(model.read_bytes()).hexdigest()


def _check_sum(path: Path, remedy: str) -> None:
    if checksum(path) != _read_card(path).get("sha256"):
        raise ModelError(f"{path}: was changed since it was made (its sha256 is not the one on its card "
                         f"{card_path(path).name}); {remedy}")  # fmt: skip


def _read_card(model: Path) -> dict[str, Any]:
    path = card_path(model)
    try:
        card: dict[str, Any] = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"{path}: the card of model {model.stem!r} cannot be read ({error})") from error
    return card


def _folder() -> Path:
    return Path(str(resources.files("pse_sdk.assets")))
