"""Recordings heard from both ends: the mean of what a model makes of one, and of the same backwards.

What a model knows of a recording's noise and voice grows on the way; heard from its end, it knows what comes. And where
both directions err, they seldom err alike. docs/robustness.md has what it brings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pse_sdk.pcm import PcmFormat, must_be_scaled, pieces, sanitise, to_channels
from pse_sdk.pipeline import Float32
from pse_sdk.recording import WARM_START_S, Recording

# So much is enhanced backwards at once: a recording of any length takes bounded memory.
SEGMENT_S = 60.0
# From one segment's output to the next one's.
FADE_S = 0.1
# Of the output that was enhanced forwards: models have heard more of that in training.
FORWARDS = 0.6


@dataclass(frozen=True)
class BothWays:
    """How to enhance a recording from both ends; ``recording`` is how each of them is enhanced."""

    recording: Recording

    def enhance(self, blocks: Iterable[npt.NDArray[Any]]) -> Iterator[npt.NDArray[Any]]:
        """Blocks in, blocks out, of the same type and together of the same length."""
        source = _Source(blocks, self.recording)
        enhanced = _Kept()
        # Bad samples were counted, and are silence, before either direction hears them.
        recording = replace(self.recording, replaced=_ignore)
        forwards = recording.enhance(source)
        segment, ahead, fade = (round(s * recording.rate) for s in (SEGMENT_S, WARM_START_S, FADE_S))
        start, earlier, ended = 0, None, False
        while not ended:
            end = start + segment
            while enhanced.end < end + ahead and not ended:
                block = next(forwards, None)
                ended = block is None
                if block is not None:
                    enhanced.append(block)
            if source.pcm is None:
                return  # nothing was given
            # What comes after a segment is its warm start; where nothing does, the recording's own end is.
            end = enhanced.end if ended else end
            ending = recording if ended else replace(recording, warm_start=False)
            first = max(0, start - fade)
            backwards = _backwards(ending, source.heard.cut(first, end + ahead), min(end + ahead, source.heard.end))
            if earlier is not None:
                rising = np.linspace(0, 1, len(earlier), dtype=np.float32)[:, None]
                backwards[: len(earlier)] += (1 - rising) * (earlier - backwards[: len(earlier)])
            last = end if ended else end - fade
            earlier = backwards[last - first : end - first]
            mean = FORWARDS * enhanced.cut(first, last) + (1 - FORWARDS) * backwards[: last - first]
            yield source.pcm.restore(list(mean.T))
            enhanced.drop(last)
            source.heard.drop(last)
            start = end


def _backwards(recording: Recording, heard: Float32, end: int) -> Float32:
    """The output for ``heard`` [samples, channels], which ends at sample ``end`` of the recording, from its end on."""
    hop = recording.runtime.description.hop_seconds
    # Windows half a hop beside those of the other direction: their mean is then one of more windows, too.
    lead = round((hop / 2 - end / recording.rate) % hop * recording.rate)
    turned = np.pad(heard[::-1], ((lead, 0), (0, 0)), mode="symmetric")
    out: Float32 = np.concatenate(list(recording.enhance([turned])))[lead:][::-1].copy()
    return out


class _Source:
    """Blocks as float32 [samples, channels] without bad samples, which it counts; keeps them in ``heard``."""

    def __init__(self, blocks: Iterable[npt.NDArray[Any]], recording: Recording) -> None:
        self._blocks, self._recording = blocks, recording
        self.pcm: PcmFormat | None = None
        self.heard = _Kept()

    def __iter__(self) -> Iterator[Float32]:
        for block in map(np.asarray, self._blocks):
            if not block.size and self.pcm is None:
                continue  # of whatever type: nothing has begun
            self.pcm = PcmFormat.of(block) if self.pcm is None else self.pcm.same_as(block)
            for piece in pieces(block, self._recording.rate):
                samples = np.stack([self._clean(channel) for channel in to_channels(piece)], axis=1)
                self.heard.append(samples)
                yield samples

    def _clean(self, channel: npt.NDArray[Any]) -> Float32:
        must_be_scaled(channel)
        clean, bad = sanitise(channel)
        self._recording.replaced(bad)
        return clean


class _Kept:
    """Samples [samples, channels] of a recording from some place on; ``end`` is how many there were in all."""

    def __init__(self) -> None:
        self._parts: list[Float32] = []
        self._start = self.end = 0

    def append(self, samples: Float32) -> None:
        self._parts.append(samples)
        self.end += len(samples)

    def cut(self, start: int, end: int) -> Float32:
        return np.concatenate(self._parts)[start - self._start : end - self._start]

    def drop(self, before: int) -> None:
        self._parts = [self.cut(before, self.end)]
        self._start = before


def _ignore(_: int) -> None:
    pass
