"""Voice profiles: what is saved comes back, and nothing else is taken for one."""

import json
import pickle
import stat
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pse_sdk as sdk
from pse_sdk.voice_profile import VoiceProfile, load_voice


def make_voice(seed: int = 0, dim: int = 128, encoder: str = "abc") -> VoiceProfile:
    embedding = np.random.default_rng(seed).standard_normal(dim).astype(np.float32)
    return VoiceProfile(embedding / np.linalg.norm(embedding), encoder)


@given(seed=st.integers(0, 1000), dim=st.integers(1, 512), encoder=st.text(max_size=20))
def test_a_profile_comes_back_bit_for_bit(tmp_path: Path, seed: int, dim: int, encoder: str) -> None:
    voice = make_voice(seed, dim, encoder)
    voice.save(tmp_path / "me.voice")
    loaded = load_voice(tmp_path / "me.voice")
    np.testing.assert_array_equal(loaded.embedding, voice.embedding)
    assert loaded.encoder == encoder


def test_a_profile_is_readable_by_its_owner_alone_and_small(tmp_path: Path) -> None:
    make_voice().save(tmp_path / "me.voice")
    assert stat.S_IMODE((tmp_path / "me.voice").stat().st_mode) == 0o600
    assert (tmp_path / "me.voice").stat().st_size < 2000


def test_a_printed_profile_does_not_show_the_voice() -> None:
    assert repr(make_voice()) == "VoiceProfile(encoder='abc')"


@pytest.mark.parametrize("key", ["encoder", "embedding", "sha256"])
def test_a_profile_that_was_changed_is_refused(tmp_path: Path, key: str) -> None:
    path = tmp_path / "me.voice"
    make_voice().save(path)
    content = json.loads(path.read_text())
    content[key] = content[key][::-1] + "x"
    path.write_text(json.dumps(content))
    with pytest.raises(sdk.AudioError, match=r"was changed since it was made.*enrol again"):
        load_voice(path)


def test_a_profile_with_somebody_elses_embedding_is_refused(tmp_path: Path) -> None:
    path, other = tmp_path / "me.voice", tmp_path / "other.voice"
    mine = make_voice()
    mine.save(path)
    VoiceProfile(-mine.embedding, mine.encoder).save(other)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"embedding": json.loads(other.read_text())["embedding"]}))
    with pytest.raises(sdk.AudioError, match=r"was changed since it was made.*checksum"):
        load_voice(path)


def test_a_profile_of_a_later_version_is_refused_as_such(tmp_path: Path) -> None:
    path = tmp_path / "me.voice"
    make_voice().save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 2}))
    with pytest.raises(sdk.AudioError, match=r"version 2.*reads 1"):
        load_voice(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[1]", b'"x"', b"\xff\xfe", pickle.dumps({"format": "pse-sdk voice profile"}), b"[" * 5000,
     b" " * 70000, b'{"format": "something else"}'],
    ids=["empty", "no-keys", "list", "string", "binary", "pickle", "nested", "huge", "foreign"],
)  # fmt: skip
def test_what_is_no_profile_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.voice").write_bytes(content)
    with pytest.raises(sdk.AudioError, match=r"x\.voice: not a voice profile; `pse enroll`"):
        load_voice(tmp_path / "x.voice")


def test_a_missing_profile_and_a_missing_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(sdk.AudioError, match="no such voice profile; `pse enroll RECORDING"):
        load_voice(tmp_path / "gone.voice")
    with pytest.raises(sdk.AudioError, match="there is no folder"):
        make_voice().save(tmp_path / "gone" / "me.voice")


def test_a_profile_that_cannot_be_written_is_an_audio_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    with pytest.raises(sdk.AudioError, match="cannot be written"):
        make_voice().save(tmp_path / "me.voice")


def test_profiles_of_one_voice_are_equal_and_can_be_keys() -> None:
    assert make_voice(1) == make_voice(1)
    assert len({make_voice(1), make_voice(1), make_voice(2), make_voice(1, encoder="other")}) == 3


@pytest.mark.parametrize("bad", [np.zeros(8), np.full(8, np.nan), np.ones((2, 4)), np.ones(8)])
def test_an_embedding_that_is_no_unit_vector_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(sdk.UsageError, match="make it with enroll"):
        VoiceProfile(bad.astype(np.float32), "abc")
    with pytest.raises(sdk.UsageError, match="make it with enroll"):
        VoiceProfile([1.0], "abc")  # type: ignore[arg-type]
    for kind in ("U1", complex):
        with pytest.raises(sdk.UsageError, match="make it with enroll"):
            VoiceProfile(np.ones(1).astype(kind), "abc")
