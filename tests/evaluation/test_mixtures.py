"""One fixed list: the same at every call, at the SNR that its labels say, and the same again from files."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pse_sdk.errors import AudioError, UsageError
from pse_sdk.evaluation.mixtures import MixtureList, write_recordings
from pse_sdk.evaluation.noise_classes import noise_class
from pse_sdk.evaluation.pairs import find_recordings, read_transcripts
from tests.evaluation.recordings import make_data


def test_the_list_is_fixed_and_a_longer_one_begins_with_it(data: Path) -> None:
    short, long = MixtureList(data, 6), MixtureList(data, 11)
    assert short.labels == long.labels[:6]
    for number in (5, 0):
        first, second = short.load(number), long.load(number)
        np.testing.assert_array_equal(first.noisy, second.noisy)
        np.testing.assert_array_equal(first.target, second.target)
    assert MixtureList(data, 6, seed=1).labels != short.labels


def test_mixtures_have_the_snr_length_and_noise_that_their_labels_say(data: Path) -> None:
    mixtures = MixtureList(data, 10)
    assert [label.snr_db for label in mixtures.labels] == [-5, 0, 5, 10, 15] * 2
    assert {label.noise for label in mixtures.labels} == {"animals", "babble"}
    for number, label in enumerate(mixtures.labels):
        item = mixtures.load(number)
        assert item.target is not None
        noise = item.noisy.astype(np.float64) - item.target
        assert 10 * np.log10(np.sum(item.target**2) / np.sum(noise**2)) == pytest.approx(label.snr_db, abs=0.05)
        assert len(item.noisy) == 80000
        assert np.abs(item.noisy).max() < 1


def test_the_target_in_a_room_is_the_early_part_of_the_speech(data: Path) -> None:
    dry, wet = MixtureList(data, 1).load(0), MixtureList(data, 1, reverberant=True).load(0)
    assert wet.target is not None
    assert dry.target is not None
    response = soundfile.read(data / "rir" / "room.wav")[0]
    # 50 ms from the direct sound, which is sample 10, and a fade.
    early = response[:970] * np.clip((970 - np.arange(970)) / 160, 0, 1)
    wanted = np.convolve(dry.target, early)[10:][: len(dry.target)]
    assert np.corrcoef(wanted, wet.target)[0, 1] > 0.999
    assert np.corrcoef(dry.target, wet.target)[0, 1] < 0.999
    assert "reverberant" in MixtureList(data, 1, reverberant=True).title


def test_with_transcripts_every_item_is_a_sentence_that_occurs_once(data: Path) -> None:
    words = read_transcripts(data / "transcripts.tsv")
    labels = MixtureList(data, 4, transcripts=words).labels
    assert len({label.said for label in labels}) == 4
    assert all(label.said in words.values() and label.seconds == pytest.approx(2.3) for label in labels)
    with pytest.raises(UsageError, match="know 4 different sentences"):
        _ = MixtureList(data, 5, transcripts=words).labels


def test_the_list_in_files_is_the_same_list(data: Path, tmp_path: Path) -> None:
    mixtures = MixtureList(data, 4, transcripts=read_transcripts(data / "transcripts.tsv"))
    write_recordings(mixtures, tmp_path)
    found = find_recordings(
        tmp_path / "noisy", tmp_path / "clean", tmp_path / "labels.csv", tmp_path / "transcripts.tsv"
    )
    assert found.labels == mixtures.labels
    for number in range(4):
        np.testing.assert_array_equal(found.load(number).noisy, mixtures.load(number).noisy)
        np.testing.assert_array_equal(found.load(number).target, mixtures.load(number).target)
    with pytest.raises(UsageError, match="not empty"):
        write_recordings(mixtures, tmp_path)


def test_noise_that_is_silent_is_named_instead_of_looked_for_for_ever(tmp_path: Path) -> None:
    folder = make_data(tmp_path)
    for name in ("dog", "babble"):
        soundfile.write(folder / "noise" / f"{name}.wav", np.zeros(20000), 16000)
    with pytest.raises(AudioError, match="are silent"):
        MixtureList(folder, 1).load(0)


def test_noise_categories_come_in_classes() -> None:
    assert [noise_class(c) for c in ("dog", "engine", "babble_12", "street", "clock_tick", "7")] == [
        "animals", "urban", "babble", "street", "domestic", "7"]  # fmt: skip
