"""A streaming resampler with a short delay, for real-time audio at other rates than the model's.

soxr's stream is excellent but holds back 37 ms at 48 kHz and 115 ms at 8 kHz, each way, whatever its quality
setting: more than the whole enhancement. This one holds back 32 samples of the lower rate, 2 ms at 16 kHz and above,
and is a plain windowed-sinc polyphase filter, exact for any ratio of whole-number rates.

Rates that share no large factor have as many phases as Hz; their filters are interpolated between those of 1024 phases,
with an error 120 dB below the signal.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

# Half the filter's length, in samples of the lower rate: 2 ms at 16 kHz.
HALF_WIDTH = 32
# Kaiser window for a stop band 80 dB down. With 64 taps it takes 0.08 of the lower rate to get there.
KAISER_BETA = 7.86
# Where the filter is 6 dB down, as a share of the lower rate: what folds back lies above 0.46 of it.
CUTOFF = 0.5
MOST_PHASES = 1024


class Resampler:
    """One signal from one rate to another. Output sample n stands at input time ``n * rate_in / rate_out``."""

    def __init__(self, rate_in: int, rate_out: int) -> None:
        divisor = math.gcd(rate_in, rate_out)
        self.up, self.down = rate_out // divisor, rate_in // divisor
        # Input samples on either side of an output sample that its value depends on.
        self.half = math.ceil(HALF_WIDTH * max(1.0, rate_in / rate_out))
        self._phases = min(self.up, MOST_PHASES)
        self._bank = _filter_bank(self._phases, min(1.0, rate_out / rate_in), self.half)
        self.reset()

    def reset(self) -> None:
        self._buffer = np.zeros(self.half, np.float32)  # begins at input index self._start
        self._start = -self.half
        self._received = 0
        self._given = 0

    def push(self, samples: Float32) -> Float32:
        """Take the next input; return every output sample that is complete, perhaps none."""
        self._buffer = np.concatenate([self._buffer, samples])
        self._received += len(samples)
        return self._produce(until=self._complete(self._received - self.half))

    def flush(self) -> Float32:
        """The rest, as if silence followed: in all ``ceil(received * rate_out / rate_in)`` samples."""
        self._buffer = np.concatenate([self._buffer, np.zeros(self.half + 1, np.float32)])
        return self._produce(until=self._complete(self._received))

    def _complete(self, inputs: int) -> int:
        """How many output samples stand before input time ``inputs``."""
        return max(0, -(-inputs * self.up // self.down))

    def _produce(self, until: int) -> Float32:
        if until <= self._given:
            return np.zeros(0, np.float32)
        out = self._filtered(until)
        self._given = until
        needed_from = self._given * self.down // self.up - self.half + 1
        if needed_from > self._start:
            self._buffer = self._buffer[needed_from - self._start :].copy()
            self._start = needed_from
        return out

    def _filtered(self, until: int) -> Float32:
        """Output samples from the first that was not given yet."""
        # sliding_window_view's windows without its 20 us of Python per call; the constructor checks the bounds as well.
        buffer, taps = self._buffer, self._bank.shape[1]
        views: Float32 = np.ndarray((len(buffer) - taps + 1, taps), buffer.dtype, buffer, strides=2 * buffer.strides)
        count, behind = until - self._given, self.half - 1 + self._start
        out: Float32
        if self.up == 1:
            windows = views[self._given * self.down - behind :: self.down][:count]
            out = np.einsum("nt,t->n", windows, self._bank[0])
        elif self.down == 1:
            first, last = self._given // self.up, (until - 1) // self.up
            windows = views[first - behind : last - behind + 1]
            whole = np.einsum("nt,pt->np", windows, self._bank[: self.up]).ravel()
            out = whole[self._given - first * self.up :][:count]
        else:
            # 64 bits wherever it runs: NumPy's own integers have 32 on some systems, full after five minutes.
            n = np.arange(self._given, until, dtype=np.int64)
            centre, phase = n * self.down // self.up, n * self.down % self.up
            out = np.einsum("nt,nt->n", views[centre - behind], self._taps(phase))
        return out

    def _taps(self, phase: npt.NDArray[np.int64]) -> Float32:
        """The filters of output samples that stand ``phase / up`` behind an input sample, [samples, taps]."""
        if self._phases == self.up:
            return self._bank[phase]
        at = phase * (self._phases / self.up)
        row = at.astype(np.int64)
        share = (at - row).astype(np.float32)[:, None]
        taps: Float32 = (1 - share) * self._bank[row] + share * self._bank[row + 1]
        return taps


@lru_cache(maxsize=8)
def _filter_bank(phases: int, lower: float, half: int) -> Float32:
    """Windowed-sinc taps, [phases + 1, 2 * half]; each row sums to one.

    ``lower`` is the lower rate as a share of the input rate.
    """
    # Tap j of row p lies at input offset j - half + 1 from the output's whole-sample position.
    offset = np.arange(2 * half)[None, :] - (half - 1) - np.arange(phases + 1)[:, None] / phases
    window = np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (offset / half) ** 2, 0, None))) / np.i0(KAISER_BETA)
    bank = np.sinc(2 * CUTOFF * lower * offset) * window
    out: Float32 = (bank / bank.sum(axis=1, keepdims=True)).astype(np.float32)
    out.flags.writeable = False  # shared by all resamplers between the same rates
    return out
