"""One channel's way: rate in, windows, model, overlap-add, rate out. Who calls it decides about the depth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pse_sdk.depth_change import DepthChange
from pse_sdk.runtimes.base import Runtime
from pse_sdk.streaming import TINY, Framer, OverlapAdd, RateAdapter

Float32 = npt.NDArray[np.float32]


class Pipeline:
    """Everything that one signal needs and that changes while it runs.

    ``push`` takes samples and returns as many, `latency` later. For each frame that became complete it calls
    back, and the callback calls `run_frame`: so the caller can measure a frame, or choose its depth.
    """

    def __init__(self, runtime: Runtime, rate: int, speaker: Float32 | None = None) -> None:
        d = runtime.description
        self._rates = RateAdapter(rate, d.sample_rate, d.window, d.hop)
        self._framer = Framer(d.window, d.hop)
        self._overlap_add = OverlapAdd(d.window, d.hop)
        self._change = DepthChange()
        self.stream = runtime.open_stream()
        self.stream.set_speaker(speaker)
        self._window: Float32 = np.zeros((1, d.window), np.float32)

    @property
    def latency(self) -> int:
        return self._rates.latency

    def reset(self) -> None:
        for part in (self._rates, self._framer, self._overlap_add, self._change, self.stream):
            part.reset()

    def push(self, samples: Float32, frame: Callable[[Pipeline], Float32]) -> Float32:
        self._advance(self._rates.enter(samples), frame)
        return self._rates.take(len(samples))

    def flush(self, frame: Callable[[Pipeline], Float32]) -> Float32:
        """The last `latency` samples, as if silence followed."""
        self._advance(self._rates.enter_rest(), frame)
        # Silence until the last real sample has left the overlap-add.
        overlap = self._framer.window - self._framer.hop
        self._advance(np.zeros(overlap + self._framer.missing % self._framer.hop, np.float32), frame)
        self._rates.leave_rest()
        return self._rates.take(self._rates.latency)

    def _advance(self, samples: Float32, frame: Callable[[Pipeline], Float32]) -> None:
        self._framer.push(np.where(np.abs(samples) < TINY, np.float32(0), samples))
        while (window := self._framer.pop()) is not None:
            self._window = window
            self._rates.leave(frame(self), window[0, : self._framer.hop])

    def run_frame(self, depth: int, wet: float) -> tuple[Float32, int, int]:
        """Enhance the frame at hand.

        Returns
        -------
        The [hop] samples that are now complete, how many blocks ran, and whose head was heard (0: bypass).
        """
        ran, head = self._change.next(depth)
        if ran > self._change.kept:
            self.stream.forget(self._change.kept)
        if ran == 0:
            return self._overlap_add.add(np.zeros_like(self._window), self._window, 0.0), 0, 0
        enhanced = self.stream.step(self._window, ran, max(head, 1))
        return self._overlap_add.add(enhanced, self._window, wet if head else 0.0), ran, head
