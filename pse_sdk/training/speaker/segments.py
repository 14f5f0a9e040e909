"""Pieces of recordings, each of one voice, that embeddings are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soxr

from pse_sdk.training.data import SAMPLE_RATE, Clip, Clips

Samples = npt.NDArray[np.float32]

# Longer recordings are cut, so that one of them can be enrolment and target both without sharing a sample.
LONGEST_S = 6.5
# Playing a voice faster or slower makes another voice of it (arXiv 1910.13825 trains with such speakers).
SPEEDS = (1.0, 0.9, 1.1)


@dataclass(frozen=True)
class Segment:
    """Samples ``start`` to ``start + length`` of clip number ``clip``, played ``speed`` times as fast."""

    clip: int
    start: int
    length: int
    speed: float = 1.0

    def read(self, clips: Clips) -> Samples:
        x = clips.read(clips.clips[self.clip], self.start, self.length)
        if self.speed == 1.0:
            return x
        out: Samples = soxr.resample(x, SAMPLE_RATE * self.speed, SAMPLE_RATE, quality="MQ")
        return out


def cut(clips: Clips, speeds: Sequence[float] = SPEEDS) -> list[Segment]:
    """Every clip, cut into equal pieces of at most `LONGEST_S`, at every speed."""
    longest = int(LONGEST_S * SAMPLE_RATE)
    segments = []
    for i, clip in enumerate(clips.clips):
        pieces = max(1, -(-clip.length // longest))
        for k in range(pieces):
            start, end = k * clip.length // pieces, (k + 1) * clip.length // pieces
            segments += [Segment(i, start, end - start, speed) for speed in speeds]
    return segments


def voice(clips: Clips, segment: Segment, unlabelled: Sequence[str]) -> tuple[str, str, float]:
    """Who speaks: segments with the same answer are of one voice.

    In an unlabelled source nothing but the recording itself is sure to be of one voice.
    """
    clip: Clip = clips.clips[segment.clip]
    name = clip.path if clip.source in unlabelled or not clip.speaker else clip.speaker
    return clip.source, name, segment.speed


def by_voice(
    clips: Clips, segments: Sequence[Segment], unlabelled: Sequence[str]
) -> dict[tuple[str, str, float], list[int]]:
    """Numbers of the segments of each voice."""
    out: dict[tuple[str, str, float], list[int]] = defaultdict(list)
    for i, segment in enumerate(segments):
        out[voice(clips, segment, unlabelled)].append(i)
    return out
