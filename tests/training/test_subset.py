"""A part of the recordings: whole voices, every category, always the same."""

import numpy as np

from pse_sdk.training.data import Clip, Clips
from pse_sdk.training.subset import subset


def recordings() -> Clips:
    """A source of ten voices with three recordings each, one without voices, and two kinds of noise."""
    names = [("talk", f"s{i % 10}", "") for i in range(30)] + [("words", "unknown", "") for _ in range(10)]
    names += [("noise", "", category) for category in ("rain", "dogs") for _ in range(4)]
    clips = [Clip(f"{i}.flac", *name, i * 10, 10) for i, name in enumerate(names)]
    return Clips(np.arange(len(clips) * 10, dtype=np.int16), clips)


def test_half_is_half_of_the_voices_with_all_their_recordings() -> None:
    half = subset(recordings(), 0.5)
    voices = {clip.speaker for clip in half.by_source["talk"]}
    assert len(voices) == 5
    assert len(half.by_source["talk"]) == 15


def test_half_is_half_of_the_recordings_where_no_voice_is_named() -> None:
    half = subset(recordings(), 0.5)
    assert len(half.by_source["words"]) == 5
    assert {name: len(clips) for name, clips in half.by_category.items() if name} == {"rain": 2, "dogs": 2}


def test_a_smaller_part_is_within_a_larger_one_and_reads_the_same_samples() -> None:
    quarter, half = subset(recordings(), 0.25), subset(recordings(), 0.5)
    assert set(quarter.clips) < set(half.clips)
    for clip in quarter.clips:
        np.testing.assert_array_equal(quarter.read(clip), recordings().read(clip))
