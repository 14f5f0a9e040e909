"""Files are matched by name, and what does not match is told in one line."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pse_sdk.errors import AudioError, PseWarning, UsageError
from pse_sdk.evaluation.items import Label
from pse_sdk.evaluation.pairs import find_recordings, read_transcripts
from pse_sdk.evaluation.systems import Folder, find_systems


def write(path: Path, seconds: float = 0.5, rate: int = 16000, channels: int = 1, hz: float = 440.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = 0.1 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)
    soundfile.write(path, np.repeat(tone[:, None], channels, axis=1), rate)
    return path


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("a", "deep/b", "p1.c"):
        write(tmp_path / "noisy" / f"{name}.wav")
        write(tmp_path / "clean" / f"{name}.flac")
    return tmp_path / "noisy", tmp_path / "clean"


def test_files_match_by_path_whatever_their_kind(folders: tuple[Path, Path]) -> None:
    noisy, clean = folders
    write(clean / "more.wav")  # a clean set may serve several noisy ones
    found = find_recordings(noisy, clean)
    assert [label.name for label in found.labels] == ["a", "deep/b", "p1.c"]
    assert found.has_targets
    item = found.load(1)
    np.testing.assert_allclose(item.noisy, item.target, atol=1e-4)
    assert (item.noisy.dtype, len(item.noisy), item.label.seconds) == (np.float32, 8000, 0.5)


def test_any_rate_and_channels_come_out_at_16_khz_and_mono(tmp_path: Path) -> None:
    write(tmp_path / "noisy" / "a.wav", rate=44100, channels=2)
    write(tmp_path / "clean" / "a.wav")
    item = find_recordings(tmp_path / "noisy", tmp_path / "clean").load(0)
    assert item.target is not None
    np.testing.assert_allclose(item.noisy[500:-500], item.target[500:-500], atol=2e-3)


def test_without_clean_files_there_are_no_targets(folders: tuple[Path, Path]) -> None:
    found = find_recordings(folders[0], None)
    assert (found.has_targets, found.load(0).target) == (False, None)


def test_missing_clean_files_are_one_error_with_the_first_few(folders: tuple[Path, Path]) -> None:
    noisy, clean = folders
    for number in range(5):
        write(noisy / f"z{number}.wav")
    with pytest.raises(UsageError, match=r"no clean file for 5 of 8 recordings: z0, z1, z2, \.\.\."):
        find_recordings(noisy, clean)


def test_a_little_difference_in_length_is_cut_with_a_notice(folders: tuple[Path, Path]) -> None:
    noisy, clean = folders
    write(clean / "a.flac", seconds=0.45)
    with pytest.warns(PseWarning, match="1 files differ .* by up to 50 ms"):
        found = find_recordings(noisy, clean)
    item = found.load(0)
    assert item.target is not None
    assert len(item.noisy) == len(item.target) == 7200


def test_a_large_difference_in_length_is_an_error(folders: tuple[Path, Path]) -> None:
    noisy, clean = folders
    write(clean / "a.flac", seconds=1.5)
    with pytest.raises(AudioError, match=r"1 files are longer or shorter .* a \(\+1.00 s\)"):
        find_recordings(noisy, clean)


def test_two_files_of_one_name_and_empty_or_absent_folders_are_refused(folders: tuple[Path, Path]) -> None:
    noisy, clean = folders
    write(noisy / "a.flac")
    with pytest.raises(UsageError, match=r"a.wav and a.flac have the same name"):
        find_recordings(noisy, clean)
    (noisy / "empty").mkdir()
    with pytest.raises(UsageError, match="no recordings in this folder"):
        find_recordings(noisy / "empty", None)
    with pytest.raises(UsageError, match="no such folder"):
        find_recordings(noisy / "gone", None)


def test_labels_and_words_are_read_with_or_without_endings(folders: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("noise,name,snr_db\nrain,a.wav,-2.5\n,p1.c,10\n")
    (tmp_path / "t.tsv").write_text("deep/b.wav\tHello there\n\na\tgood morning\n")
    with pytest.warns(PseWarning) as told:
        a, b, c = find_recordings(*folders, tmp_path / "l.csv", tmp_path / "t.tsv").labels
    assert ["says nothing of deep/b (1 in all)" in str(w.message) for w in told] == [True, False]
    assert a == Label("a", 0.5, -2.5, "rain", "good morning")
    assert (b.snr_db, b.said) == (None, "Hello there")
    assert (c.snr_db, c.noise) == (10, "")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("snr_db\n3\n", "must name the columns"),
        ("name,snr_db\na,loud\n", "a: snr_db 'loud' is not a number"),
        ("name,snr_db\nother,3\n", "names none of the recordings"),
        ("snr_db,name,noise\n3\n", "line 2: no name"),
        ("name,SNR\na,3\n", "no column snr_db and none called noise"),
        ("name,noise\na,rain\na.wav,dog\n", "line 3: a.wav was there before"),
        (f"name,noise\na,{'x' * 200_000}\n", "cannot be read"),
    ],
)
def test_wrong_labels_are_told(folders: tuple[Path, Path], tmp_path: Path, labels: str, message: str) -> None:
    (tmp_path / "l.csv").write_text(labels)
    with pytest.raises(UsageError, match=message):
        find_recordings(*folders, tmp_path / "l.csv")


def test_accents_match_however_a_system_composes_them(tmp_path: Path) -> None:
    names = {form: unicodedata.normalize(form, "für") for form in ("NFC", "NFD")}
    assert names["NFC"] != names["NFD"]
    write(tmp_path / "noisy" / f"{names['NFC']}.wav")
    write(tmp_path / "clean" / f"{names['NFD']}.wav")
    (tmp_path / "l.csv").write_text(f"name,noise\n{names['NFD']},rain\n", encoding="utf-8")
    (label,) = find_recordings(tmp_path / "noisy", tmp_path / "clean", tmp_path / "l.csv").labels
    assert (label.name, label.noise) == (names["NFC"], "rain")


def test_spaces_after_commas_are_none(folders: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("name, snr_db, noise\na, 3, rain \ndeep/b, 4, dog\np1.c, 5, dog\n")
    label = find_recordings(*folders, tmp_path / "l.csv").labels[0]
    assert (label.snr_db, label.noise) == (3.0, "rain")


def test_what_was_enhanced_beside_its_recording_and_hidden_folders_are_left_out(folders: tuple[Path, Path]) -> None:
    noisy, clean = folders
    for name in ("a-clean", "only-clean", ".checkpoints/a"):
        write(noisy / f"{name}.wav")
    write(clean / "only-clean.wav")
    with pytest.warns(PseWarning, match="left out 1 .*: a-clean"):
        found = find_recordings(noisy, clean)
    assert [label.name for label in found.labels] == ["a", "deep/b", "only-clean", "p1.c"]


def test_samples_of_another_scale_are_told_with_their_file(folders: tuple[Path, Path]) -> None:
    soundfile.write(folders[0] / "a.wav", np.full(8000, 9000.0), 16000, "FLOAT")
    with pytest.raises(UsageError, match=r"a\.wav: float samples up to 9000"):
        find_recordings(*folders).load(0)


def test_a_system_is_named_before_the_first_equals_sign_and_a_bundled_one_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "run" / "lr=0.1" / "a.wav")
    write(tmp_path / "small" / "a.wav")
    assert [s.name for s in find_systems(["better=run/lr=0.1", "small/"], [])] == ["better", "small"]
    (folder,) = find_systems(["run/lr=0.1"], [])
    assert isinstance(folder, Folder)
    (model,) = find_systems(["small"], [1])
    assert not isinstance(model, Folder)


def test_a_transcript_without_a_tab_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("a\tgood\nb bad\n")
    with pytest.raises(UsageError, match="line 2: no tab"):
        read_transcripts(tmp_path / "t.tsv")


def test_a_folder_of_enhanced_files_is_checked_before_anything_is_scored(folders: tuple[Path, Path]) -> None:
    noisy, clean = folders
    recordings = find_recordings(noisy, clean)
    Folder("same", clean).check(recordings)
    (clean / "deep" / "b.flac").unlink()
    with pytest.raises(UsageError, match="no enhanced file for 1 of 3 recordings: deep/b"):
        Folder("one short", clean).check(recordings)
