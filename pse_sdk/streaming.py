"""Any block size in, windows out; windows in, as many samples out. No model here, and no clock."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pse_sdk.high_band import HighBand
from pse_sdk.resampling import Resampler

Float32 = npt.NDArray[np.float32]

# Samples below this are silence: 1e-10 is -200 dB of full scale. Arithmetic on denormals is many times slower,
# and the model squares what it is given.
TINY = 1e-10


class Framer:
    """Collects samples into windows that start a hop apart."""

    def __init__(self, window: int, hop: int) -> None:
        self.window, self.hop = window, hop
        self.reset()

    def reset(self) -> None:
        self._buffer = np.zeros(self.window - self.hop, np.float32)

    def push(self, samples: Float32) -> None:
        self._buffer = np.concatenate([self._buffer, samples])

    def pop(self) -> Float32 | None:
        """The next window, [1, window], or None until enough samples came."""
        if len(self._buffer) < self.window:
            return None
        window = self._buffer[None, : self.window]
        self._buffer = self._buffer[self.hop :]
        return window

    @property
    def missing(self) -> int:
        """Samples until the next window is full."""
        return self.window - len(self._buffer)


class OverlapAdd:
    """Adds windows where they overlap, and blends the result with the unprocessed signal, aligned.

    The blend moves linearly over one hop, so that neither bypass nor a new strength is heard as a click.
    """

    def __init__(self, window: int, hop: int) -> None:
        self.window, self.hop = window, hop
        self._ramp = np.arange(1, hop + 1, dtype=np.float32) / np.float32(hop)
        self.reset()

    def reset(self, wet: float = 1.0) -> None:
        self._sum = np.zeros(self.window, np.float32)
        self._wet = wet

    def add(self, enhanced: Float32, noisy: Float32, wet: float) -> Float32:
        """[1, window] enhanced and noisy -> the [hop] samples that are now complete, with ``wet`` of the former.

        The finished hop is the oldest of the window: ``window - hop`` samples behind the newest input.
        """
        self._sum[: -self.hop] = self._sum[self.hop :]
        self._sum[-self.hop :] = 0
        self._sum += enhanced[0]
        share = self._wet + (wet - self._wet) * self._ramp if wet != self._wet else wet
        self._wet = wet
        done: Float32 = noisy[0, : self.hop] + share * (self._sum[: self.hop] - noisy[0, : self.hop])
        return done


class RateAdapter:
    """The model's rate inside, the app's outside: pushes, pops and counts samples so that none is lost or added.

    ``enter`` takes the app's samples and gives the model's; ``leave`` takes the model's and keeps them for
    ``take``, which always has as many samples as ``enter`` was given, ``latency`` later. At rates above the model's,
    the band that the model does not hear goes round it.
    """

    def __init__(self, rate: int, model_rate: int, window: int, hop: int) -> None:
        self.rate = rate
        same = rate == model_rate
        self._inward = None if same else Resampler(rate, model_rate)
        self._outward = None if same else Resampler(model_rate, rate)
        self._high_band = HighBand(rate, model_rate, hop) if rate > model_rate else None
        self._overlap = window - hop
        self.latency = window if same else self._latency(rate / model_rate, window)
        self.reset()

    def _latency(self, ratio: float, window: int) -> int:
        """Samples at the app's rate: one window, both filters, and what rounding to whole samples may cost."""
        assert self._inward is not None
        assert self._outward is not None
        return self._inward.half + math.ceil((window + self._outward.half + 1) * ratio) + 1

    def reset(self) -> None:
        for part in (self._inward, self._outward, self._high_band):
            if part is not None:
                part.reset()
        # The model's first samples lie before the first of the input: they count as latency, or are left out where
        # the way out is not sample for sample.
        self._skip = 0 if self._outward is None else self._overlap
        self._ready = np.zeros(self.latency - (self._overlap if self._outward is None else 0), np.float32)

    def enter(self, samples: Float32) -> Float32:
        if self._high_band is not None:
            self._high_band.enter(samples)
        return samples if self._inward is None else self._inward.push(samples)

    def enter_rest(self) -> Float32:
        """What the inward filter still holds, when no more input will come."""
        return np.zeros(0, np.float32) if self._inward is None else self._inward.flush()

    def leave(self, enhanced: Float32, noisy: Float32) -> None:
        """The next hop at the model's rate, [hop], and the unprocessed samples that it was made of."""
        if self._skip:
            self._skip -= len(enhanced)  # the overlap is a whole number of hops
            return
        if self._outward is None:
            self._keep(enhanced)
        elif self._high_band is None:
            self._keep(self._outward.push(enhanced))
        else:
            self._keep(self._high_band.join(self._outward.push(self._high_band.split(enhanced, noisy))))

    def leave_rest(self) -> None:
        if self._outward is not None:
            rest = self._outward.flush()
            self._keep(rest if self._high_band is None else self._high_band.join(rest))

    def take(self, count: int) -> Float32:
        out, self._ready = self._ready[:count], self._ready[count:]
        # After a flush, rounding at both filters may leave the very last sample open: it is silence.
        return out if len(out) == count else np.concatenate([out, np.zeros(count - len(out), np.float32)])

    def _keep(self, samples: Float32) -> None:
        self._ready = np.concatenate([self._ready, samples])
