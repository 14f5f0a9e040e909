"""An offset of the input, taken away before the model: cheap sound cards add one, and no training recording has any.

It is the mean of the signal over some 80 ms, which is what a high-pass filter of first order at 2 Hz takes away. From
5 Hz on such filters cost what they turn in the phases of low voices (docs/robustness.md has the figures). What the
model takes no part in, bypass and the share that an attenuation limit lets through, keeps its offset.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

CORNER_HZ = 2.0


class InputOffset:
    """Follows the mean of a signal: of the first windows their average, then the mean of late.

    Parameters
    ----------
    hop_s : seconds from one window to the next
    span : newest samples of each window whose mean is taken. The longer, the more of the zeros in front of a signal
        counts as its first windows
    """

    def __init__(self, hop_s: float, span: int) -> None:
        self._span = span
        self._share = 1 - math.exp(-2 * math.pi * CORNER_HZ * hop_s)
        self.reset()

    def reset(self) -> None:
        self._offset = 0.0
        self._windows = 0

    def remove(self, window: Float32) -> Float32:
        """A window, [1, window], without the offset. Digital silence has none and says nothing of it."""
        if not window.any():
            return window
        self._windows += 1
        mean = float(window[:, -self._span :].sum()) / self._span
        self._offset += max(self._share, 1 / self._windows) * (mean - self._offset)
        centred: Float32 = window - np.float32(self._offset)
        return centred
