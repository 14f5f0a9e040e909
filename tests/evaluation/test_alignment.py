"""Delays are found to the sample, through noise and filtering."""

import warnings

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from pse_sdk.errors import PseWarning
from pse_sdk.evaluation.alignment import delay
from pse_sdk.evaluation.pairs import find_recordings
from pse_sdk.evaluation.systems import Folder

SPEECH = (np.random.default_rng(0).standard_normal(20000) * np.sin(np.arange(20000) / 700)).astype(np.float32)


@given(st.integers(-4000, 4000))
def test_a_shifted_signal_is_as_late_as_it_was_shifted(samples: int) -> None:
    noise = 0.5 * np.random.default_rng(1).standard_normal(20000).astype(np.float32)
    for polarity in (1, -1):
        assert delay(polarity * (np.roll(SPEECH, samples) + noise), SPEECH) == samples


def test_files_that_are_late_are_told(tmp_path) -> None:
    for kind, shift in (("noisy", 0), ("good", 0), ("late", 320), ("early", -1)):
        (tmp_path / kind).mkdir()
        soundfile.write(tmp_path / kind / "a.wav", np.roll(0.1 * SPEECH, shift), 16000)
    recordings = find_recordings(tmp_path / "noisy", None)
    for kind, told in (("late", r"late by \+320 samples \(\+20\.00 ms\)"), ("early", r"late by -1 samples \(-0\.06")):
        with pytest.warns(PseWarning, match=told):
            Folder(kind, tmp_path / kind).check(recordings)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Folder("good", tmp_path / "good").check(recordings)


def test_some_late_files_among_others_are_told(tmp_path) -> None:
    for kind in ("noisy", "mixed"):
        (tmp_path / kind).mkdir()
        for number in range(25):
            shift = 64 if kind == "mixed" and number > 18 else 0
            soundfile.write(tmp_path / kind / f"{number:02}.wav", np.roll(0.1 * SPEECH, shift), 16000)
    recordings = find_recordings(tmp_path / "noisy", None)
    with pytest.warns(PseWarning, match=r"\+64 samples .*the median of 2 files that are not in place, of 10 looked at"):
        Folder("mixed", tmp_path / "mixed").check(recordings)


def test_silence_is_not_late() -> None:
    assert delay(0 * SPEECH, SPEECH) == delay(SPEECH, 0 * SPEECH) == 0
