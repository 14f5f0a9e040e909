"""A buffer between two threads in which every sample has its time: late ones are dropped, missing ones are silence."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]


class TimedRing:
    """The last ``capacity`` samples of a signal, by position since its start.

    One thread writes and one reads; neither waits for the other. As positions are absolute, nothing that goes wrong
    on either side can shift the signal: the delay between writer and reader stays what it was.
    """

    def __init__(self, capacity: int) -> None:
        self._samples = np.zeros(capacity, np.float32)
        # Of the samples that are there, the first. More than ``end - capacity`` where the writer jumped back.
        self._first = 0
        # The position after the newest sample: set when the samples are in place, as the reader trusts it.
        self.end = 0

    def write(self, start: int, samples: Float32) -> None:
        """Put ``samples`` at ``start``: a gap before them becomes silence, what was there from ``start`` on is gone."""
        capacity = len(self._samples)
        stop = start + len(samples)
        self._first = max(min(self._first, start), stop - capacity)
        gap = min(max(0, start - self.end), capacity)
        self._samples[np.arange(start - gap, start) % capacity] = 0
        kept = samples[-capacity:]
        self._samples[np.arange(stop - len(kept), stop) % capacity] = kept
        self.end = stop

    def read(self, start: int, count: int) -> tuple[Float32, int]:
        """``count`` samples from ``start``, and how many of them are silence: not here yet, or no more."""
        positions = np.arange(start, start + count)
        here = (positions < self.end) & (positions >= max(self._first, 0))
        out = np.where(here, self._samples[positions % len(self._samples)], np.float32(0))
        return out, count - int(np.count_nonzero(here))
