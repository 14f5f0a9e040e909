"""Audio files: what is wrong with one is said, and nothing half-written is left."""

import os
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from pse_sdk.audio import open_audio, read_blocks, write_audio
from pse_sdk.errors import AudioError, PseWarning, UsageError
from pse_sdk.files import check_writable, write_atomically
from pse_sdk.pcm import as_stored


def recording(path: Path, seconds: float = 1.0, rate: int = 16000, channels: int = 1) -> Path:
    samples = 0.1 * np.random.default_rng(0).standard_normal((int(seconds * rate), channels))
    soundfile.write(path, samples, rate)
    return path


def read(path: Path) -> np.ndarray:
    with open_audio(path) as file:
        return np.concatenate(list(read_blocks(file, path)))


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3", "w64", "rf64"])
def test_whole_files_are_read(tmp_path: Path, ending: str) -> None:
    assert abs(len(read(recording(tmp_path / f"a.{ending}", channels=2))) - 16000) < 2500


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3", "aiff", "au", "w64", "rf64"])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, ending: str) -> None:
    path = recording(tmp_path / f"a.{ending}", seconds=10)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(AudioError, match=r"cut short|breaks off"):
        read(path)


def test_where_a_file_breaks_off_is_told(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.flac", seconds=8)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(AudioError, match=r"breaks off after (3\.[5-9]|4\.\d) s"):
        read(path)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_without_an_end_is_read_with_a_warning(tmp_path: Path, subtype: str) -> None:
    path = tmp_path / "a.ogg"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(128000), 16000, subtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read(path)) == 128000
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5])
    with pytest.warns(PseWarning, match="has no end"):
        assert len(read(path)) < 128000


@pytest.mark.parametrize("tag", [b"", b"ID3\x04\x00\x00\x00\x00\x02\x01" + bytes(257)], ids=["bare", "tagged"])
def test_an_mp3_whose_length_is_only_a_guess_is_read_with_a_warning(tmp_path: Path, tag: bytes) -> None:
    path = recording(tmp_path / "a.mp3", seconds=5)
    path.write_bytes(tag + path.read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read(path)) > 70000
    path.write_bytes(path.read_bytes().replace(b"Xing", b"gone").replace(b"Info", b"gone"))
    with pytest.warns(PseWarning, match="does not say how long it is"):
        assert len(read(path)) > 16000


def test_a_flac_from_a_pipe_is_told_to_be_written_anew(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.flac")
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # the 36 bits of STREAMINFO that count samples: 0 stands for unknown
    content[22:26] = bytes(4)
    path.write_bytes(content)
    with pytest.raises(AudioError, match="does not say how long it is"):
        read(path)


def test_a_wav_from_a_pipe_that_promises_all_that_fits_is_read(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.wav")
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[4:8] = content[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert len(read(path)) == 16000


@pytest.mark.parametrize("promised", [0, 3200])
def test_a_wav_whose_recorder_was_ended_before_it_was_done_is_told(tmp_path: Path, promised: int) -> None:
    path = recording(tmp_path / "a.wav")
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = promised.to_bytes(4, "little")
    content[4:8] = (at - 4 + promised).to_bytes(4, "little")
    path.write_bytes(content)
    if promised:
        with pytest.warns(PseWarning, match=r"only its first 0\.1 s are used: 28800 bytes follow"):
            assert len(read(path)) == 1600
    else:
        with pytest.raises(AudioError, match="32000 bytes follow what its header speaks of"):
            read(path)


def test_sixteen_bits_are_rounded_to_the_nearest(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-1.1, 1.1, (5000, 2)).astype(np.float32)
    for name in ("b.wav", "b.flac", "b.aiff"):
        with open_audio(recording(tmp_path / "a.wav", channels=2)) as file, write_audio(tmp_path / name, file) as out:
            out.write(as_stored(samples, out.subtype))
        written = soundfile.read(tmp_path / name, dtype="int16")[0]
        np.testing.assert_array_equal(written, np.clip(np.rint(32768 * samples), -32768, 32767))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.wav", b"", "is empty"),
        ("text.wav", b"Dear diary, today was noisy. " * 20, "not a recording"),
        ("zeros.flac", bytes(5000), "not a recording"),
    ],
)
def test_files_that_are_no_recordings_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AudioError, match=message):
        read(tmp_path / name)


def test_a_header_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 16000)
    with pytest.raises(AudioError, match="holds no samples"):
        read(tmp_path / "a.wav")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.wav: no such file"):
        read(tmp_path / "gone.wav")
    with pytest.raises(AudioError, match="is a folder"):
        read(tmp_path)


def test_a_failure_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(RuntimeError), write_atomically(tmp_path / "a.txt") as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError
    assert (tmp_path / "a.txt").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("target", ["b.wav", "b.flac", "b.ogg", "b.opus", "b.mp3", "b.aif"])
def test_rate_and_channels_are_kept_in_any_format(tmp_path: Path, target: str) -> None:
    source = recording(tmp_path / "a.wav", rate=48000, channels=2)
    with open_audio(source) as file, write_audio(tmp_path / target, file) as out:
        out.write(np.zeros((4800, 2)))
    info = soundfile.info(tmp_path / target)
    assert (info.samplerate, info.channels) == (48000, 2)


def test_an_unknown_ending_or_folder_is_refused(tmp_path: Path) -> None:
    with open_audio(recording(tmp_path / "a.wav")) as file:
        for ending in ("xyz", "raw", "sd2"):
            unknown = pytest.raises(AudioError, match=rf"unknown kind of file '\.{ending}'")
            with unknown, write_audio(tmp_path / f"b.{ending}", file):
                pass
        with pytest.raises(AudioError, match="no folder"), write_audio(tmp_path / "no" / "b.wav", file):
            pass


def test_what_cannot_be_written_in_the_end_is_told_at_the_start(tmp_path: Path) -> None:
    check_writable(tmp_path / "new.txt")
    assert not list(tmp_path.iterdir())
    with pytest.raises(UsageError, match="exists and is not a file"):
        check_writable(tmp_path)
    with pytest.raises(UsageError, match="there is no folder"):
        check_writable(tmp_path / "gone" / "new.txt")


def test_a_file_that_was_not_written_whole_replaces_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = recording(tmp_path / "b.wav")
    before = target.read_bytes()
    with open_audio(recording(tmp_path / "a.wav")) as source:
        monkeypatch.setattr("pse_sdk.audio.soundfile.info", lambda _: SimpleNamespace(frames=7))
        refused = pytest.raises(AudioError, match="could not be written whole; is the disk full")
        with refused, write_audio(target, source) as out:
            out.write(np.zeros(4800))
    assert target.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "b.wav"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_a_written_file_can_be_read_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with write_atomically(tmp_path / "ours") as temporary:
        temporary.write_text("x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def written_as(tmp_path: Path, source: str, subtype: str, target: str, kind: str | None = None) -> tuple[str, str]:
    """Format and subtype of what is written for a recording of a kind."""
    path = tmp_path / source
    soundfile.write(path, np.zeros((4800, 2)), 48000, subtype, format=kind)
    with open_audio(path) as file, write_audio(tmp_path / target, file) as out:
        out.write(np.zeros((4800, 2)))
    info = soundfile.info(tmp_path / target)
    return info.format, info.subtype


def test_a_wav_of_an_mp3_holds_pcm(tmp_path: Path) -> None:
    assert written_as(tmp_path, "a.mp3", "MPEG_LAYER_III", "b.wav") == ("WAV", "PCM_16")


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE", "PCM_32"])
def test_more_than_16_bits_become_24_where_a_format_has_no_more(tmp_path: Path, subtype: str) -> None:
    assert written_as(tmp_path, "a.wav", subtype, "b.flac") == ("FLAC", "PCM_24")


@pytest.mark.parametrize("kind", ["WAVEX", "RF64"])
def test_a_wav_keeps_its_kind_of_header(tmp_path: Path, kind: str) -> None:
    assert written_as(tmp_path, "a.wav", "PCM_16", "b.wav", kind) == (kind, "PCM_16")


def test_a_wav_of_more_than_4_gib_has_a_header_that_can_say_so(tmp_path: Path) -> None:
    like = SimpleNamespace(
        copy_metadata=dict, format="FLAC", subtype="PCM_24", frames=800_000_000, channels=2, samplerate=48000
    )
    with write_audio(tmp_path / "long.wav", like) as out:
        out.write(np.zeros((10, 2)))
    assert soundfile.info(tmp_path / "long.wav").format == "RF64"


@pytest.mark.skipif(os.name == "nt", reason="POSIX names")
def test_any_name_that_a_source_can_have_can_be_written_too(tmp_path: Path) -> None:
    for name in (b"x" * 251 + b".wav", "\u8a71".encode() * 83 + b".wav", b"caf\xe9.wav"):
        path = Path(os.fsdecode(bytes(tmp_path) + b"/" + name))
        with open_audio(recording(tmp_path / "a.wav")) as file, write_audio(path, file) as out:
            out.write(np.ones(100))
        assert len(read(path)) == 100


@pytest.mark.skipif(os.name == "nt", reason="POSIX names")
def test_a_name_that_is_too_long_is_told_to_be_shorter(tmp_path: Path) -> None:
    refused = pytest.raises(AudioError, match="choose a shorter name")
    with open_audio(recording(tmp_path / "a.wav")) as file, refused, write_audio(tmp_path / ("x" * 300), file) as out:
        out.write(np.ones(100))
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "mine").touch(0o600)
    with write_atomically(tmp_path / "mine") as temporary:
        temporary.write_text("x")
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_to_itself_is_no_recording(tmp_path: Path) -> None:
    loop = tmp_path / "loop.wav"
    loop.symlink_to("loop.wav")
    with pytest.raises(AudioError, match=r"loop\.wav: no such file"):
        read(loop)
    check_writable(loop)
    with open_audio(recording(tmp_path / "a.wav")) as file, write_audio(loop, file) as out:
        out.write(np.ones(100))
    assert len(read(loop)) == 100


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_a_file_system_without_permissions_can_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refused)
    with write_atomically(tmp_path / "mine") as temporary:
        temporary.write_text("x")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("mine", "x")]


def test_a_file_that_another_program_holds_is_kept_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def in_use(*_: object) -> None:
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr(Path, "replace", in_use)
    source = recording(tmp_path / "a.wav")
    before = source.read_bytes()
    with (
        pytest.raises(
            AudioError, match=r"cannot be replaced \(Access is denied\): is it read-only, or open in another"
        ),
        open_audio(source) as file,
        write_audio(source, file) as out,
    ):
        out.write(np.zeros(10))
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
    assert source.read_bytes() == before


@pytest.mark.parametrize("target", ["b.wav", "b.flac", "b.ogg", "b.opus", "b.mp3", "b.aiff", "b.caf", "b.w64"])
def test_tags_are_kept_where_the_format_has_them(tmp_path: Path, target: str) -> None:
    source = tmp_path / "a.flac"
    with soundfile.SoundFile(source, "w", 48000, 1) as file:
        file.title, file.artist, file.software = "Interview 3", "Łucja", "a recorder"
        file.write(np.zeros(48000))
    with open_audio(source) as file, write_audio(tmp_path / target, file) as out:
        out.write(np.zeros(48000))
    with open_audio(tmp_path / target) as file:
        assert file.frames >= 48000
        assert file.title == ("" if target == "b.w64" else "Interview 3")
        assert file.artist == ("" if target in ("b.w64", "b.mp3", "b.aiff") else "Łucja")
        assert "a recorder" not in file.software


@pytest.mark.parametrize(("name", "subtype"), [("b.wav", "PCM_U8"), ("b.aiff", "PCM_S8")])
def test_eight_bits_are_rounded_to_the_nearest(tmp_path: Path, name: str, subtype: str) -> None:
    samples = np.random.default_rng(0).uniform(-1.1, 1.1, 5000).astype(np.float32)
    soundfile.write(tmp_path / name, np.zeros(10), 16000, subtype)
    with open_audio(tmp_path / name) as file, write_audio(tmp_path / f"again-{name}", file) as out:
        out.write(as_stored(samples, out.subtype))
    written = 128 * soundfile.read(tmp_path / f"again-{name}")[0]
    np.testing.assert_allclose(written, np.clip(128 * samples, -128, 127), atol=0.501)
