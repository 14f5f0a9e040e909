"""Whole recordings: no deadline, so one depth from the first sample to the last, and output aligned with the input."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from pse_sdk.pcm import INT16_SCALE, PcmFormat, as_audio, must_be_scaled, pieces, sanitise, to_channels
from pse_sdk.pipeline import Float32, Pipeline
from pse_sdk.runtimes.base import Runtime
from pse_sdk.silence import SILENT, Rest

# How much of a recording is heard before it begins; docs/robustness.md has what other lengths and ways bring.
WARM_START_S = 5.0
# Digital silence from this length on at its beginning is no part of that: there is nothing to be heard.
LEAD_S = 0.1
# Of its very beginning, backwards: what was heard then ends where the recording begins, without a step.
JOINT_S = 0.25


@dataclass(frozen=True)
class Recording:
    """How to enhance a recording.

    Parameters
    ----------
    runtime : of the model
    rate : of the samples, in Hz
    depth : blocks that run
    wet : share of the enhanced signal, 0..1
    speaker : [channels] as `project_voice` returns it; None keeps every voice
    replaced : told how many samples of each piece were no audio and became silence
    warm_start : hear the first `WARM_START_S` once before the recording, so that its noise, its level and its voice are
        known when it begins; of one that begins with digital silence, those after it
    """

    runtime: Runtime
    rate: int
    depth: int
    wet: float
    speaker: Float32 | None
    replaced: Callable[[int], None]
    warm_start: bool = False

    def enhance(self, blocks: Iterable[npt.NDArray[Any]]) -> Iterator[npt.NDArray[Any]]:
        """Blocks in, blocks out, of the same type and together of the same length."""
        pipelines: list[Pipeline] = []
        pcm: PcmFormat | None = None
        to_drop = 0
        rest: Iterator[npt.NDArray[Any]] = map(as_audio, blocks)
        opening: list[npt.NDArray[Any]] = []
        if self.warm_start:
            rest, pcm = yield from _pass_silence(rest, self._samples(LEAD_S))
            opening = _take(rest, self._samples(WARM_START_S))
        for block in chain(opening, rest):
            if not block.size and pcm is None:
                continue  # of whatever type: nothing has begun
            pcm = PcmFormat.of(block) if pcm is None else pcm.same_as(block)
            if not pipelines:
                pipelines = [Pipeline(self.runtime, self.rate, self.speaker) for _ in range(pcm.channels)]
                to_drop = pipelines[0].latency
                self._warm_up(pipelines, pcm, opening)
            for piece in pieces(block, self.rate):
                done = [self._push(*pair) for pair in zip(pipelines, to_channels(piece), strict=True)]
                drop, to_drop = min(to_drop, len(piece)), max(0, to_drop - len(piece))
                if drop < len(piece):
                    yield pcm.restore([channel[drop:] for channel in done])
        if pcm is not None and pipelines:
            # A recording shorter than the latency has part of the padding before it in the tail.
            yield pcm.restore([pipeline.flush(self._frame)[to_drop:] for pipeline in pipelines])

    def _warm_up(self, pipelines: list[Pipeline], pcm: PcmFormat, opening: Sequence[npt.NDArray[Any]]) -> None:
        """Push the opening and drop what comes out. Of that, only the latency is still to come, as ever."""
        if not opening:
            return
        for block in opening:
            pcm.same_as(block)
        length = self._samples(WARM_START_S)
        first = np.concatenate([block[:length] for block in opening])[:length]
        heard = np.concatenate([first, first[: self._samples(JOINT_S)][::-1]])
        for piece in pieces(heard, self.rate):
            for pipeline, channel in zip(pipelines, to_channels(piece), strict=True):
                must_be_scaled(channel)
                pipeline.push(sanitise(channel)[0], self._frame)

    def _samples(self, seconds: float) -> int:
        return round(seconds * self.rate)

    def _push(self, pipeline: Pipeline, channel: npt.NDArray[Any]) -> Float32:
        must_be_scaled(channel)
        clean, bad = sanitise(channel)
        self.replaced(bad)
        return pipeline.push(clean, self._frame)

    def _frame(self, pipeline: Pipeline) -> Float32:
        return pipeline.run_frame(self.depth, self.wet, Rest(math.inf, max(1, self.depth))).samples


def _pass_silence(
    blocks: Iterator[npt.NDArray[Any]], least: int
) -> Generator[npt.NDArray[Any], None, tuple[Iterator[npt.NDArray[Any]], PcmFormat | None]]:
    """Digital silence at the beginning, if it has so many samples, comes out as it is; returned is what follows."""
    pcm: PcmFormat | None = None
    held: list[npt.NDArray[Any]] = []
    for block in blocks:
        if not block.size:
            continue  # of whatever type: nothing has begun
        pcm = PcmFormat.of(block) if pcm is None else pcm.same_as(block)
        # What is no audio counts as sound: it is told of, or replaced, with all that follows.
        silence = SILENT * INT16_SCALE if block.dtype.type is np.int16 else SILENT
        sounds = ~(np.abs(block.astype(np.float32)).reshape(len(block), -1) <= silence).all(axis=1)
        silent = int(sounds.argmax()) if sounds.any() else len(block)
        if silent:
            held.append(block[:silent].copy())
            least -= silent
        if least <= 0:
            yield from held
            held = []
        if silent < len(block):
            return chain(held, [block[silent:]], blocks), pcm
    return chain(held, blocks), pcm


def _take(blocks: Iterator[npt.NDArray[Any]], samples: int) -> list[npt.NDArray[Any]]:
    """Copies of the first blocks, as many as hold so many samples: readers fill one buffer again and again.

    What is no audio is refused.
    """
    taken: list[npt.NDArray[Any]] = []
    while samples > 0 and (block := next(blocks, None)) is not None:
        PcmFormat.of(block)
        taken.append(block.copy())
        samples -= len(block)
    return taken
