"""The speaker encoder's making, with a stand-in for the teacher: start, training, export, embeddings."""

import copy
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from pse_sdk.exporters import speaker_encoder as exporter
from pse_sdk.exporters.speaker_encoder import export_speaker_encoder
from pse_sdk.runtimes.speaker_encoder import SpeakerEncoderRuntime
from torch import nn
from torch.nn import functional as F

from pse_sdk.errors import AudioError, ModelError, UsageError
from pse_sdk.models.checkpoint import load_speaker_encoder
from pse_sdk.models.speaker_encoder import SpeakerEncoder, SpeakerEncoderConfig
from pse_sdk.training.data import Clips, load_clips
from pse_sdk.training.recipe import load_encoder_recipe
from pse_sdk.training.speaker import teacher
from pse_sdk.training.speaker.damage import Damage, DamageRecipe
from pse_sdk.training.speaker.embedding import embed_all
from pse_sdk.training.speaker.segments import cut
from pse_sdk.training.speaker.teacher import Reduction, start_from_teacher
from pse_sdk.training.speaker.train import DamagedVoices, EncoderRecipe, train_encoder
from pse_sdk.training.speaker.voices import load_voices
from tests.conftest import voice

SETTINGS = ("steps=4", "batch=2", "source_weights={}", "seconds=[1.1, 1.3]", "warmup_steps=2")


class Teacher(nn.Module):
    """Resemblyzer's layers, with random weights."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        sizes = SpeakerEncoderConfig()
        self.lstm = nn.LSTM(sizes.mels, sizes.hidden, sizes.layers, batch_first=True)
        self.linear = nn.Linear(sizes.hidden, sizes.hidden)


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path / "cache")
    monkeypatch.setattr(teacher, "_teacher", Teacher)


def embeddings(count: int) -> np.ndarray:
    found = np.abs(np.random.default_rng(0).standard_normal((count, 256))).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_the_encoder_begins_with_the_teachers_layers_and_the_reduction_of_its_embeddings() -> None:
    given = embeddings(400)
    reduction = Reduction.fit(given, 128)
    encoder = SpeakerEncoder()
    start_from_teacher(encoder, reduction)
    with torch.no_grad():
        projected = F.normalize(encoder.projection(torch.from_numpy(given)), dim=1).numpy()
    np.testing.assert_allclose(projected, reduction.apply(given), atol=1e-4)
    assert torch.equal(encoder.linear.weight, Teacher().linear.weight)


def test_silence_has_no_direction() -> None:
    given = embeddings(400)
    given[3] = 0
    assert not Reduction.fit(given, 128).apply(given)[3].any()


def test_an_encoder_is_trained_exported_and_embeds_voices_as_torch_does(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pse_sdk.training.speaker.train.teacher_embeddings", lambda recordings, count: embeddings(count)
    )
    weights = train_encoder(load_encoder_recipe("speaker-encoder", SETTINGS), folder, tmp_path / "run")
    encoder, training = load_speaker_encoder(weights)
    assert training["recipe"]["steps"] == 4
    assert not torch.equal(encoder.linear.weight, Teacher().linear.weight)
    onnx = weights.with_suffix(".onnx")
    export_speaker_encoder(encoder, onnx, name="tiny", training=training)
    embed_all(folder, tmp_path / "voices", onnx)
    embed_all(folder, tmp_path / "two", onnx, jobs=2)
    assert (tmp_path / "voices" / "train.npz").read_bytes() == (tmp_path / "two" / "train.npz").read_bytes()
    speech = load_clips(folder, "speech", "valid")
    voices = load_voices(tmp_path / "voices" / "valid.npz", speech, ())
    assert len(voices.numbers) == 2
    np.testing.assert_allclose(np.linalg.norm(voices.embeddings[:, 0], axis=1), 1, atol=1e-2)
    exported = SpeakerEncoderRuntime(onnx)
    for seconds in (1.1, 1.7, 3.0):
        audio = voice(seconds)
        with torch.no_grad():
            expected = encoder(torch.from_numpy(audio)[None])[0].numpy()
        assert exported.embed(audio) @ expected > 0.99


def test_a_graph_that_computes_something_else_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = SpeakerEncoder().eval()
    build = exporter._build

    def broken(model: SpeakerEncoder, *arguments: object):
        other = copy.deepcopy(model)
        with torch.no_grad():
            other.projection.weight.copy_(other.projection.weight.flip(0))
        return build(other, *arguments)

    monkeypatch.setattr(exporter, "_build", broken)
    with pytest.raises(ModelError):
        export_speaker_encoder(encoder, tmp_path / "e.onnx", name="e", training={})
    assert not list(tmp_path.iterdir())


def test_sources_that_the_data_lack_are_named_before_the_teacher_is_asked(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="source_weights names 'librispeech"):
        train_encoder(load_encoder_recipe("speaker-encoder", ()), folder, tmp_path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"hop": 0}, "hop = 0: must be a whole number, at least 1"), ({"window": 401}, "window = 401: must be even"),
        ({"fft": 256}, "no longer than fft = 256"), ({"settling": -1}, "settling = -1"),
    ],
)  # fmt: skip
def test_sizes_that_no_encoder_can_have_are_refused(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SpeakerEncoderConfig(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch": 0}, {"warmup_steps": 300}, {"seconds": (0.3, 0.5)}, {"seconds": (2.0, 1.0)},
        {"model": SpeakerEncoderConfig(hidden=128)}, {"model": SpeakerEncoderConfig(dim=300)},
    ],
)  # fmt: skip
def test_a_recipe_that_cannot_be_trained_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        EncoderRecipe("x", **wrong)  # type: ignore[arg-type]


def test_what_is_missing_is_said_before_anything_is_embedded(folder: Path, tmp_path: Path) -> None:
    data = shutil.copytree(folder, tmp_path / "data")
    rows = (data / "index.csv").read_text().splitlines(keepends=True)
    (data / "index.csv").write_text("".join(row for row in rows if not ("noise" in row and "valid" in row)))
    with pytest.raises(AudioError, match=r"'noise'.*'valid'"):
        embed_all(data, tmp_path / "voices")
    assert not list((tmp_path / "voices").glob("*.npz"))


@pytest.mark.parametrize(("seconds", "voices"), [(0.5, 2), (0.2, 1)])
def test_what_is_shorter_than_a_word_is_no_voice(folder: Path, tmp_path: Path, seconds: float, voices: int) -> None:
    data = shutil.copytree(folder, tmp_path / "data")
    soundfile.write(data / "valid-speech-0.flac", voice(1.0)[-int(16000 * seconds) :], 16000)
    embed_all(data, tmp_path / "voices")
    found = load_voices(tmp_path / "voices" / "valid.npz", load_clips(data, "speech", "valid"), ())
    assert len(found.numbers) == voices


def test_a_source_without_a_voice_is_left_out(folder: Path) -> None:
    speech = load_clips(folder, "speech", "train")
    segments = cut(speech, (1.0,))
    damage = Damage(load_clips(folder, "noise", "train"), Clips.none(), DamageRecipe(room=0))
    targets = np.ones((len(segments), 128), np.float32)
    recipe = EncoderRecipe("x", source_weights={speech.clips[0].source: 1.0, "silent": 5.0})
    voices = DamagedVoices(speech, damage, segments, targets, recipe)
    assert list(voices.by_source) == [speech.clips[0].source]
    assert voices.source_p == [1.0]
    with pytest.raises(UsageError, match="no recording holds a voice"):
        DamagedVoices(speech, damage, segments, 0 * targets, recipe)
