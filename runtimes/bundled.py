"""The models that came with the package: found by name, and checked against the sum on their card."""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any

from pse_sdk.errors import ModelError

DEFAULT_MODEL = "small"
# Kinds of model files. Where a model has several, its name stands for the first, and a runtime finds its own kind
# beside it.
KINDS = (".onnx", ".tflite")


def bundled_models() -> list[str]:
    """Names of the models that came with the package, the default one first."""
    names = {path.stem for path in _folder().iterdir() if path.suffix in KINDS}
    return sorted(names, key=lambda name: (name != DEFAULT_MODEL, name))


def bundled_files(name: str) -> list[Path]:
    """The files of a bundled model, one for each kind that came with the package."""
    return [path for kind in KINDS if (path := _folder() / f"{name}{kind}").is_file()]


def find_model(model: str | Path | None) -> Path:
    """The file of a bundled model (by name; None for the default one) or of a user's own (a path).

    Whether it is as its card states is for who opens it to check: another file of the same model may do.
    """
    name = DEFAULT_MODEL if model is None else str(model)
    path = Path(name)
    if path.suffix not in (*KINDS, ".safetensors"):
        if name not in bundled_models():
            raise ModelError(f"unknown model {name!r}: choose one of {', '.join(bundled_models())}, "
                             "or give the path of a model file: .onnx, .tflite or .safetensors")  # fmt: skip
        path = bundled_files(name)[0]
    return path


def speaker_encoder_path() -> Path:
    """The speaker encoder that came with the package, checked against the sum on its card."""
    path = _folder() / "speaker" / "encoder.onnx"
    check_card(path)
    return path


def check_card(path: Path) -> None:
    """Raise `ModelError` if a model file has not the sha256 that its card states: `card_path`.

    Bundled models always have a card, others may.
    """
    ours = path.is_relative_to(_folder())
    if path.is_file() and (ours or card_path(path).exists()) and checksum(path) != _read_card(path).get("sha256"):
        remedy = "install pse-sdk again" if ours else "export it again"
        raise ModelError(f"{path}: was changed since it was made (its sha256 is not the one on its card "
                         f"{card_path(path).name}); {remedy}")  # fmt: skip


def same_weights(path: Path, other: Path) -> bool:
    """Whether the cards of two model files state the same weights, rounded in the same way."""
    if not (card_path(path).exists() and card_path(other).exists()):
        return False
    first, second = _read_card(path), _read_card(other)
    return bool(first.get("weights")) and all(first.get(key) == second.get(key) for key in ("weights", "precision"))


def card_path(model: Path) -> Path:
    """Where the card of a model file lies: ``small.onnx.json`` beside ``small.onnx``."""
    return model.with_name(f"{model.name}.json")


def checksum(model: Path) -> str:
    """The sha256 that a card states; raises `ModelError` for a file that cannot be read."""
    try:
        return hashlib.sha256(model.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(f"{model}: cannot be read ({error.strerror})") from error


def _read_card(model: Path) -> dict[str, Any]:
    path = card_path(model)
    try:
        card: dict[str, Any] = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ModelError(f"{path}: the card of model {model.stem!r} cannot be read ({error})") from error
    return card


def _folder() -> Path:
    return Path(str(resources.files("pse_sdk.assets")))
