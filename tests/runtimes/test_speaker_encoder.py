"""A file that is no speaker encoder, or not the one that it says it is, is refused in one line."""

import json
from pathlib import Path

import onnx
import pytest
from pse_sdk.runtimes.bundled import speaker_encoder_path
from pse_sdk.runtimes.speaker_encoder import ENCODER_KEY, SpeakerEncoderRuntime

from pse_sdk.errors import ModelError


def changed(path: Path, **values: object) -> Path:
    """The bundled encoder with a description that says something else."""
    model = onnx.load(speaker_encoder_path())
    (entry,) = (entry for entry in model.metadata_props if entry.key == ENCODER_KEY)
    entry.value = json.dumps({**json.loads(entry.value), **values})
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dim": 64}, "its inputs or outputs are not what its description says"),
        ({"dim": -1}, "dim = -1"),
        ({"shortest": 0.5}, r"shortest = 0\.5"),
        ({"identity": 5}, "identity = 5"),
    ],
    ids=str,
)
def test_a_description_that_does_not_fit_is_refused(tmp_path: Path, values: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        SpeakerEncoderRuntime(changed(tmp_path / "e.onnx", **values))


def test_another_input_is_refused(tmp_path: Path) -> None:
    content = speaker_encoder_path().read_bytes().replace(b"\n\x05audio", b"\n\x05sound")
    (tmp_path / "e.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"e\.onnx: "):
        SpeakerEncoderRuntime(tmp_path / "e.onnx")


def test_a_model_that_enhances_is_no_speaker_encoder(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match=r"not a speaker encoder of pse-sdk; `pse train-encoder` makes one"):
        SpeakerEncoderRuntime(tiny_model)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no speaker encoder at"):
        SpeakerEncoderRuntime(tmp_path / "gone.onnx")
