"""Whole recordings: no deadline, so one depth from the first sample to the last, and output aligned with the input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from pse_sdk.pcm import PcmFormat, must_be_scaled, pieces, sanitise, to_channels
from pse_sdk.pipeline import Float32, Pipeline
from pse_sdk.runtimes.base import Runtime

# How much of its beginning a recording hears before it begins; docs/robustness.md has what other lengths bring.
WARM_START_S = 5.0


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
    warm_start : hear the first `WARM_START_S` backwards before the recording, so that its noise, its level and its
        voice are known when it begins. Backwards they end where it begins, without a step; what comes out is dropped
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
        rest = map(np.asarray, blocks)
        opening = _take(rest, round(WARM_START_S * self.rate)) if self.warm_start else []
        for block in chain(opening, rest):
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
        """Push the opening backwards. Of what comes out only the latency is still to be dropped, as ever."""
        missing = round(WARM_START_S * self.rate)
        first = []
        for block in opening:
            pcm.same_as(block)
            first.append(block[:missing])
            missing -= len(first[-1])
        for block in reversed(first):
            for piece in pieces(block[::-1], self.rate):
                for pipeline, channel in zip(pipelines, to_channels(piece), strict=True):
                    must_be_scaled(channel)
                    pipeline.push(sanitise(channel)[0], self._frame)

    def _push(self, pipeline: Pipeline, channel: npt.NDArray[Any]) -> Float32:
        must_be_scaled(channel)
        clean, bad = sanitise(channel)
        self.replaced(bad)
        return pipeline.push(clean, self._frame)

    def _frame(self, pipeline: Pipeline) -> Float32:
        return pipeline.run_frame(self.depth, self.wet).samples


def _take(blocks: Iterator[npt.NDArray[Any]], samples: int) -> list[npt.NDArray[Any]]:
    """The first blocks, as many as hold so many samples."""
    taken: list[npt.NDArray[Any]] = []
    while samples > 0 and (block := next(blocks, None)) is not None:
        taken.append(block)
        samples -= len(block)
    return taken
