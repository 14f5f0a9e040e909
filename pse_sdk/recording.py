"""Whole recordings: no deadline, so one depth from the first sample to the last, and output aligned with the input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pse_sdk.pcm import PcmFormat, must_be_scaled, pieces, sanitise, to_channels
from pse_sdk.pipeline import Float32, Pipeline
from pse_sdk.runtimes.base import Runtime


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
    """

    runtime: Runtime
    rate: int
    depth: int
    wet: float
    speaker: Float32 | None
    replaced: Callable[[int], None]

    def enhance(self, blocks: Iterable[npt.NDArray[Any]]) -> Iterator[npt.NDArray[Any]]:
        """Blocks in, blocks out, of the same type and together of the same length."""
        pipelines: list[Pipeline] = []
        pcm: PcmFormat | None = None
        to_drop = 0
        for block in map(np.asarray, blocks):
            pcm = PcmFormat.of(block) if pcm is None else pcm.same_as(block)
            if not pipelines:
                pipelines = [Pipeline(self.runtime, self.rate, self.speaker) for _ in range(pcm.channels)]
                to_drop = pipelines[0].latency
            for piece in pieces(block, self.rate):
                done = [self._push(*pair) for pair in zip(pipelines, to_channels(piece), strict=True)]
                drop, to_drop = min(to_drop, len(piece)), max(0, to_drop - len(piece))
                if drop < len(piece):
                    yield pcm.restore([channel[drop:] for channel in done])
        if pcm is not None and pipelines:
            # A recording shorter than the latency has part of the padding before it in the tail.
            yield pcm.restore([pipeline.flush(self._frame)[to_drop:] for pipeline in pipelines])

    def _push(self, pipeline: Pipeline, channel: npt.NDArray[Any]) -> Float32:
        must_be_scaled(channel)
        clean, bad = sanitise(channel)
        self.replaced(bad)
        return pipeline.push(clean, self._frame)

    def _frame(self, pipeline: Pipeline) -> Float32:
        return pipeline.run_frame(self.depth, self.wet).samples
