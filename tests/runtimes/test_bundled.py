"""The models in the package: complete, as their cards say, and refused where they are not."""

import json
import shutil
from pathlib import Path

import pytest
from pse_sdk.runtimes import bundled, self_test
from pse_sdk.runtimes.select import open_file, open_runtime

from pse_sdk.errors import ModelError, UsageError

FILES = [path for name in bundled.bundled_models() for path in bundled.bundled_files(name)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_bundled_file_loads_and_has_a_complete_card(path: Path) -> None:
    if path.suffix == ".tflite":
        pytest.importorskip("ai_edge_litert")
    bundled.check_card(path)
    runtime = open_file(path)
    assert self_test.failure(runtime) is None
    description = runtime.description
    card = json.loads(bundled.card_path(path).read_text())
    assert description.blocks >= 4
    assert len(card["scores"]) == description.blocks
    assert {"data", "recipe", "seed", "commit", "licence", "sha256"} <= set(card)


@pytest.mark.parametrize("name", bundled.bundled_models())
def test_the_files_of_one_bundled_model_hold_the_same_weights(name: str) -> None:
    first, *others = bundled.bundled_files(name)
    assert json.loads(bundled.card_path(first).read_text())["name"] == name
    assert all(bundled.same_weights(first, other) for other in others)


def test_bundled_models_stay_under_40_megabytes() -> None:
    assert sum(path.stat().st_size for path in FILES) < 40e6


def test_a_bundled_model_with_one_byte_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = bundled.find_model(None)
    for file in (source, bundled.card_path(source)):
        shutil.copy(file, tmp_path)
    content = bytearray((tmp_path / source.name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / source.name).write_bytes(content)
    monkeypatch.setattr(bundled, "_folder", lambda: tmp_path)
    with pytest.raises(ModelError, match=r"was changed since it was made.*install pse-sdk again"):
        open_runtime("auto", bundled.find_model(None))


def test_a_speaker_encoder_with_one_byte_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = bundled.speaker_encoder_path()
    (tmp_path / "speaker").mkdir()
    shutil.copy(bundled.card_path(source), tmp_path / "speaker")
    content = bytearray(source.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "speaker" / source.name).write_bytes(content)
    monkeypatch.setattr(bundled, "_folder", lambda: tmp_path)
    with pytest.raises(ModelError, match=r"was changed since it was made"):
        bundled.speaker_encoder_path()


def test_an_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"unknown model 'huge': choose one of small"):
        bundled.find_model("huge")


def test_an_unknown_runtime_names_the_known_ones(tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="choose one of auto, onnx, tflite, torch"):
        open_runtime("gpu", tiny_model)


def test_a_users_model_is_checked_against_its_card_if_it_has_one(tiny_model: Path, tmp_path: Path) -> None:
    model = tmp_path / "mine.onnx"
    shutil.copy(tiny_model, model)
    bundled.check_card(model)
    bundled.card_path(model).write_text(json.dumps({"sha256": bundled.checksum(model)}))
    bundled.check_card(model)
    model.write_bytes(model.read_bytes() + b"x")
    with pytest.raises(ModelError, match=r"mine\.onnx: was changed.*export it again"):
        bundled.check_card(model)
    bundled.card_path(model).write_text("[")
    with pytest.raises(ModelError, match=r"mine\.onnx\.json: the card of model 'mine' cannot be read"):
        bundled.check_card(model)
