"""Indexes of folders of recordings: what is in them, and that splits share no speaker."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pse_sdk.errors import AudioError, PseWarning, UsageError
from pse_sdk.training.data import COLUMNS, load_clips, read_index
from pse_sdk.training.index import index_folder, write_index


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Recordings as LibriSpeech (reader/chapter/utterance) and MUSAN (class/recording) lay them out."""
    names = [f"libri/{reader}/{chapter}/u{i}.flac" for reader in range(30) for chapter in (1, 2) for i in (1, 2)]
    names += [f"musan/{kind}/n{i}.wav" for kind in ("music", "noise") for i in range(20)]
    names += [f"rooms/r{i}_{place}.flac" for i in range(4) for place in ("near", "far")]
    for i, name in enumerate(names):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / name, np.full(160 + i, 0.1), 16000)
    (tmp_path / "libri" / "notes.txt").write_text("no recording")
    return tmp_path


def test_an_index_finds_all_recordings_and_can_be_trained_from(data: Path, tmp_path_factory) -> None:
    for folder, kind, level in (("libri", "speech", 1), ("musan", "noise", 1), ("rooms", "rir", 0)):
        write_index(data, data / folder, index_folder(data, data / folder, kind, level, valid=0.2))
    rows = read_index(data / "index.csv")
    assert len(rows) == len({row["path"] for row in rows}) == 120 + 40 + 8
    cache = tmp_path_factory.mktemp("cache")
    speech = load_clips(data, "speech", "train", cache)
    assert all(clip.source == "libri" and clip.speaker in clip.path.split("/") for clip in speech.clips)
    assert set(load_clips(data, "noise", "valid", cache).by_category) == {"music", "noise"}
    assert load_clips(data, "rir", "valid", cache).clips


def test_splits_share_no_speaker_and_hold_the_share_asked_for(data: Path) -> None:
    rows = index_folder(data, data / "libri", "speech", 1, valid=0.3)
    speakers = {split: {row.speaker for row in rows if row.split == split} for split in ("train", "valid")}
    assert not speakers["train"] & speakers["valid"]
    assert len(speakers["train"] | speakers["valid"]) == 30
    assert 4 <= len(speakers["valid"]) <= 14


def test_a_share_of_zero_leaves_all_to_training(data: Path) -> None:
    assert {row.split for row in index_folder(data, data / "musan", "noise", 1, valid=0)} == {"train"}


def test_a_speaker_stays_in_its_split_when_recordings_are_added(data: Path) -> None:
    before = {row.path: row.split for row in index_folder(data, data / "libri", "speech", 1, valid=0.3)}
    for reader in (3, 77):
        (data / f"libri/{reader}/9").mkdir(parents=True)
        soundfile.write(data / f"libri/{reader}/9/u.flac", np.zeros(160), 16000)
    after = {row.path: row.split for row in index_folder(data, data / "libri", "speech", 1, valid=0.3)}
    assert len(after) == len(before) + 2
    assert before.items() <= after.items()


def test_indexing_again_replaces_rows_and_keeps_other_columns(data: Path) -> None:
    with (data / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*COLUMNS, "licence"])
        writer.writeheader()
        writer.writerow({"path": "other.wav", "kind": "noise", "split": "train", "licence": "CC0"})
    for _ in range(2):
        write_index(data, data / "rooms", index_folder(data, data / "rooms", "rir"))
    rows = read_index(data / "index.csv")
    assert len(rows) == 1 + 8
    assert [row["licence"] for row in rows if row["path"] == "other.wav"] == ["CC0"]


def test_speakers_of_one_name_in_folders_of_one_name_are_warned_of(data: Path) -> None:
    for corpus in ("a", "b"):
        for speaker in ("001", "002"):
            (data / corpus / "wav" / speaker).mkdir(parents=True)
            soundfile.write(data / corpus / "wav" / speaker / "u.flac", np.zeros(160), 16000)
    for _ in range(2):  # a folder's own names are no others'
        write_index(data, data / "a/wav", index_folder(data, data / "a/wav", "speech", 1, valid=0.5))
    with pytest.warns(PseWarning, match=r"called 'wav' is in the index, .*\('001', 2 in all\): they are taken for one"):
        write_index(data, data / "b/wav", index_folder(data, data / "b/wav", "speech", 1, valid=0.5))


def test_indexing_again_takes_out_what_is_gone_from_the_folder_and_nothing_else(data: Path) -> None:
    (data / "index.csv").write_text(",".join(COLUMNS) + "\nelsewhere/gone.wav,noise,train,s,,\n")
    for _ in range(2):
        write_index(data, data / "rooms", index_folder(data, data / "rooms", "rir"))
        (data / "rooms" / "r0_near.flac").unlink(missing_ok=True)
    paths = {row["path"] for row in read_index(data / "index.csv")}
    assert "rooms/r0_near.flac" not in paths
    assert {"elsewhere/gone.wav", "rooms/r0_far.flac"} <= paths


def test_a_link_is_indexed_by_its_name_in_the_folder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    target = tmp_path_factory.mktemp("annex") / "0123.flac"
    (data / "rooms" / "r0_near.flac").rename(target)
    (data / "rooms" / "r0_near.flac").symlink_to(target)
    assert "rooms/r0_near.flac" in {row.path for row in index_folder(data, data / "rooms", "rir")}


def test_a_folder_is_named_as_it_is_called_from_wherever(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data / "rooms")
    assert {row.source for row in index_folder(data, Path(), "rir")} == {"rooms"}


def test_what_other_systems_keep_beside_a_recording_is_none(data: Path) -> None:
    (data / "rooms" / "._r0_near.flac").write_bytes(b"Mac OS X")
    (data / "rooms" / ".Trash").mkdir()
    (data / "rooms" / "r0_far.flac").rename(data / "rooms" / ".Trash" / "r0_far.flac")
    assert not [row.path for row in index_folder(data, data / "rooms", "rir") if "/." in row.path]


def test_the_data_folder_itself_can_be_indexed_again(data: Path) -> None:
    for _ in range(2):
        write_index(data, data, index_folder(data, data, "noise"))
        (data / "rooms" / "r0_near.flac").unlink(missing_ok=True)
    assert "rooms/r0_near.flac" not in {row["path"] for row in read_index(data / "index.csv")}


def test_an_index_that_a_spreadsheet_wrote_is_read(data: Path) -> None:
    (data / "index.csv").write_text(",".join(COLUMNS) + "\na.wav,speech,train,s,,\n", encoding="utf-8-sig")
    assert read_index(data / "index.csv")[0]["path"] == "a.wav"


@pytest.mark.parametrize(
    ("folder", "kind", "level", "message"),
    [
        ("libri", "music", 1, "must be one of speech, noise, rir"),
        ("musan", "noise", 3, "no folder of level 3"),
        ("libri/3", "speech", 4, "no folder of level 4"),
        ("empty", "speech", 0, "no recordings"),
        ("..", "speech", 0, "must lie in the data folder"),
    ],
)
def test_what_cannot_be_indexed_is_said(data: Path, folder: str, kind: str, level: int, message: str) -> None:
    (data / "empty").mkdir()
    with pytest.raises(AudioError, match=message):
        index_folder(data, data / folder, kind, level)


def test_one_speaker_cannot_be_in_both_splits(data: Path) -> None:
    (data / "one" / "anna").mkdir(parents=True)
    soundfile.write(data / "one" / "anna" / "a.wav", np.zeros(160), 16000)
    with pytest.raises(AudioError, match=r"only one group .*--valid 0"):
        index_folder(data, data / "one", "speech", 1)


def test_an_index_without_a_column_or_with_a_lost_file_is_named(data: Path) -> None:
    (data / "index.csv").write_text("path,kind\na.wav,speech\n")
    with pytest.raises(AudioError, match="no column 'split'"):
        load_clips(data, "speech", "train")
    (data / "index.csv").write_text(",".join(COLUMNS) + "\ngone.wav,speech,train,s,,\n")
    with pytest.raises(AudioError, match=r"gone\.wav: in the index"):
        load_clips(data, "speech", "train")
    (data / "gone.wav").write_text("no audio")
    with pytest.raises(AudioError, match=r"gone\.wav: cannot be decoded"):
        load_clips(data, "speech", "train", data / "cache")
    for samples, rate in ((0, 16000), (1, 48000)):
        soundfile.write(data / "gone.wav", np.zeros(samples), rate)
        with pytest.raises(AudioError, match=r"gone\.wav: holds no samples"):
            load_clips(data, "speech", "train", data / "cache")


@pytest.mark.parametrize("kind", ["speech", "rir"])
def test_a_recording_that_is_silent_is_named(data: Path, kind: str) -> None:
    (data / "index.csv").write_text(",".join(COLUMNS) + f"\nstill.wav,{kind},train,s,,\n")
    soundfile.write(data / "still.wav", np.zeros(800), 16000)
    with pytest.raises(AudioError, match=r"still\.wav: is silent; take it out of the index"):
        load_clips(data, kind, "train", data / "cache")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (b'a.wav,speech,train,s,,\nb.wav,speech,train\n', "line 3: not as many fields"),
        (b'a.wav,speech,train,s,,,7\n', "line 2: not as many fields"),
        (b'caf\xe9.wav,speech,train,s,,\n', "save it as CSV in UTF-8"),
        (b'a.wav,speech,train,s,"' + b"x" * 200_000, "save it as CSV in UTF-8"),
    ],
)  # fmt: skip
def test_a_damaged_index_is_named_with_its_line(data: Path, rows: bytes, message: str) -> None:
    (data / "index.csv").write_bytes(",".join(COLUMNS).encode() + b"\n" + rows)
    with pytest.raises(AudioError, match=rf"index\.csv.*{message}"):
        read_index(data / "index.csv")


@pytest.mark.skipif(os.name == "nt", reason="POSIX names")
def test_a_name_that_an_index_cannot_hold_is_told(data: Path) -> None:
    (data / "rooms" / "r0_near.flac").rename(data / "rooms" / os.fsdecode(b"caf\xe9.flac"))
    with pytest.raises(AudioError, match=r"caf.*: the name is not UTF-8"):
        index_folder(data, data / "rooms", "rir")


def test_float_recordings_keep_their_shape_and_room_responses_their_tail(data: Path) -> None:
    shape = np.exp(-np.arange(4000) / 500)
    for name, samples in (("loud", 4 * shape), ("faint", 1e-4 * shape), ("cast", 9000 * np.ones(4000))):
        (data / name).mkdir()
        soundfile.write(data / name / "a.wav", samples, 16000, "FLOAT")
    for name, kind in (("loud", "rir"), ("faint", "rir"), ("loud", "noise")):
        write_index(data, data / name, index_folder(data, data / name, kind, valid=0))
        clips = load_clips(data, kind, "train", data / "cache")
        np.testing.assert_allclose(clips.read(clips.clips[0]), shape, atol=1e-3)
        (data / "index.csv").unlink()
    write_index(data, data / "cast", index_folder(data, data / "cast", "noise", valid=0))
    with pytest.raises(UsageError, match=r"cast/a\.wav: float samples up to 9000"):
        load_clips(data, "noise", "train", data / "cache")
