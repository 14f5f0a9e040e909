"""What lies above the model's band: kept, and attenuated as the model attenuates the top of its own band.

The model hears 8 kHz of bandwidth. At higher rates the rest of the signal is added back, aligned, with a gain per hop:
the ratio of enhanced to noisy level near the top of the model's band. Where noise is removed there, it goes above too;
where a consonant passes, its upper part does. With the gain at 1 (bypass) the output is the input to the last bit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

# How much of the way to a new gain is gone per hop: gains that jump every 10 ms are heard as roughness.
SMOOTHING = 0.6
# Energy of a hop below which there is nothing to compare: digital silence. The gain of before it says nothing of what
# comes after.
SILENCE = 1e-12


class HighBand:
    """Splits off the part of the band above the model's, and joins it again.

    Resampling is linear, so nothing is split in fact: with a slowly moving gain g, ``up(clean) + g (x - up(noisy))``
    is ``up(clean - g noisy) + g x``, one resampling instead of two.
    """

    def __init__(self, rate: int, model_rate: int, hop: int) -> None:
        self._hops_per_sample = model_rate / rate / hop
        self._ramp = np.arange(hop, dtype=np.float32) / np.float32(hop)
        self.reset()

    def reset(self) -> None:
        self._raw = np.zeros(0, np.float32)
        # gains[j] holds at the start of hop `first + j`; between hops it moves linearly.
        self._gains: list[float] = []
        self._first = 0
        self._joined = 0
        self._silent = True

    def enter(self, samples: Float32) -> None:
        """The app's samples, at its rate."""
        self._raw = np.concatenate([self._raw, samples])

    def split(self, enhanced: Float32, noisy: Float32) -> Float32:
        """The next hop, [hop] enhanced and noisy at the model's rate -> what is to be resampled and joined."""
        gain = _top_gain(enhanced, noisy)
        self._gains = self._gains or [1.0]
        if gain is not None and self._silent:
            self._gains[-1] = gain
        self._silent = gain is None
        gain = self._gains[-1] if gain is None else gain
        before = self._gains[-1]
        after = before + SMOOTHING * (gain - before)
        self._gains.append(after)
        ramp = np.float32(before) + np.float32(after - before) * self._ramp
        out: Float32 = enhanced - ramp * noisy
        return out

    def join(self, resampled: Float32) -> Float32:
        """What `split` gave, at the app's rate -> the same stretch of the output, full band."""
        count = len(resampled)
        if not count:
            return resampled
        raw = self._raw[:count]
        if len(raw) < count:  # after the end of the input
            raw = np.concatenate([raw, np.zeros(count - len(raw), np.float32)])
        self._raw = self._raw[count:]
        time = (self._joined + np.arange(count)) * self._hops_per_sample - self._first
        gain = np.interp(time, np.arange(len(self._gains)), self._gains).astype(np.float32)
        self._joined += count
        passed = min(int(self._joined * self._hops_per_sample) - self._first, len(self._gains) - 1)
        del self._gains[:passed]
        self._first += passed
        out: Float32 = resampled + gain * raw
        return out


def _top_gain(enhanced: Float32, noisy: Float32) -> float | None:
    """Level of enhanced over noisy, 0..1, second differences taken first: they weigh 6 kHz 20 dB above 1 kHz.

    None for silence.
    """
    before = float(np.sum(np.diff(noisy, 2) ** 2))
    if before < SILENCE:
        return None
    return min(1.0, float(np.sqrt(np.sum(np.diff(enhanced, 2) ** 2) / before)))
