"""The models in the package: complete, as their cards say, and refused where they are not."""

import json
import shutil
from pathlib import Path

import pytest
from pse_sdk.runtimes import bundled
from pse_sdk.runtimes.onnx import OnnxRuntime
from pse_sdk.runtimes.select import open_runtime

from pse_sdk.errors import ModelError, UsageError


@pytest.mark.parametrize("name", bundled.bundled_models())
def test_every_bundled_model_loads_and_has_a_complete_card(name: str) -> None:
    runtime = OnnxRuntime(bundled.find_model(name))
    card = bundled.model_card(name)
    assert runtime.description.blocks >= 4
    assert len(card["scores"]) == runtime.description.blocks
    assert {"data", "recipe", "seed", "commit", "licence", "sha256"} <= set(card)


def test_bundled_models_stay_under_40_megabytes() -> None:
    assert sum(bundled.find_model(name).stat().st_size for name in bundled.bundled_models()) < 40e6


def test_a_bundled_model_with_one_byte_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = bundled.find_model(None)
    for file in (source, bundled.card_path(source)):
        shutil.copy(file, tmp_path)
    content = bytearray((tmp_path / source.name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / source.name).write_bytes(content)
    monkeypatch.setattr(bundled, "_folder", lambda: tmp_path)
    with pytest.raises(ModelError, match=r"was changed since it was made.*install pse-sdk again"):
        bundled.find_model(None)


def test_an_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"unknown model 'huge': choose one of small"):
        bundled.find_model("huge")


def test_an_unknown_runtime_names_the_known_ones(tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="choose one of auto, onnx, tflite, torch"):
        open_runtime("gpu", tiny_model)


def test_a_users_model_is_checked_against_its_card_if_it_has_one(tiny_model: Path, tmp_path: Path) -> None:
    model = tmp_path / "mine.onnx"
    shutil.copy(tiny_model, model)
    assert bundled.find_model(model) == model
    bundled.card_path(model).write_text(json.dumps({"sha256": bundled.checksum(model)}))
    assert bundled.find_model(model) == model
    model.write_bytes(model.read_bytes() + b"x")
    with pytest.raises(ModelError, match=r"mine\.onnx: was changed.*export it again"):
        bundled.find_model(model)
    bundled.card_path(model).write_text("[")
    with pytest.raises(ModelError, match=r"mine\.onnx\.json: the card of model 'mine' cannot be read"):
        bundled.find_model(model)
