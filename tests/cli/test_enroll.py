"""``pse enroll`` and ``--voice``: a profile appears complete or not at all, and a mistake is one line."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

import pse_sdk as sdk
from tests.cli.test_cli import pse
from tests.conftest import voice


@pytest.fixture
def run(personal_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pse_sdk.enhancer.find_model", lambda _: personal_model)
    return lambda *arguments: pse(*arguments, capsys=capsys, monkeypatch=monkeypatch)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "me.wav", voice(4), 16000)
    return tmp_path / "me.wav"


def test_enrolling_writes_a_profile_beside_the_recording_and_says_what_was_measured(run, recording: Path) -> None:
    code, text = run("enroll", recording)
    assert code == 0
    assert "me.voice  4.0 s of speech in 4.5 s" in text
    assert "dB against the noise" in text
    assert np.linalg.norm(sdk.load_voice(recording.with_suffix(".voice")).embedding) == pytest.approx(1, abs=1e-4)


def test_a_voice_changes_what_is_kept(run, recording: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "meeting.wav", voice(1, pitch=200) + voice(1, pitch=90), 16000)
    assert run("enroll", recording, "-o", tmp_path / "x.voice")[0] == 0
    assert run("enhance", tmp_path / "meeting.wav", "-o", tmp_path / "all.wav")[0] == 0
    assert run("enhance", tmp_path / "meeting.wav", "-o", tmp_path / "one.wav", "--voice", tmp_path / "x.voice")[0] == 0
    everybody, one = (soundfile.read(tmp_path / name)[0] for name in ("all.wav", "one.wav"))
    assert len(everybody) == len(one)
    assert not np.allclose(everybody, one, atol=1e-3)


def test_mistakes_are_one_line_and_leave_nothing(run, recording: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", voice(0.5), 16000)
    soundfile.write(tmp_path / "slow.wav", voice(2.0), 4000)
    for arguments, message in (
        (["enroll", tmp_path / "short.wav"], "s of speech in 1.0 s; at least 2 s are needed"),
        (["enroll", tmp_path / "gone.wav"], "gone.wav: no such file"),
        (["enroll", recording, "-o", recording], "would overwrite the recording"),
        (["enroll", recording, "-o", tmp_path / "no" / "me.voice"], "there is no folder"),
        (["enroll", recording, "-o", tmp_path / "short.wav"], "is the name of a recording"),
        (["enroll", recording, "-o", tmp_path / "small.onnx"], "is the name of a recording or model"),
        (["enroll", tmp_path / "slow.wav"], "slow.wav: sample rate 4000: must be"),
        (["enhance", recording, "--voice", tmp_path / "gone.voice"], "no such voice profile"),
        (["enhance", recording, "--voice", recording], "not a voice profile"),
    ):
        code, text = run(*arguments)
        assert code == 1
        assert text.startswith("pse: ")
        assert message in text
        assert len(text.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["me.wav", "short.wav", "slow.wav"]
