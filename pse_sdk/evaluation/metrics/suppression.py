"""Was too much taken away, and was enough? Target-speaker over-suppression, and suppression of other talkers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.signal

Samples = npt.NDArray[np.float32]

SAMPLE_RATE = 16000
WINDOW = 512
HOP = 160
POWER = 0.3
# A frame is over-suppressed where more than this part of the target's own compressed energy is missing.
THRESHOLD = 0.1
# A talker is active in frames within this many dB of the recording's loudest.
ACTIVE_DB = 40.0
QUIETEST_DBFS = -70.0


@dataclass(frozen=True)
class OverSuppression:
    """Frames counted by `over_suppression`; counts of several recordings add up."""

    frames: int = 0
    active: int = 0
    suppressed: int = 0

    def __add__(self, other: OverSuppression) -> OverSuppression:
        return OverSuppression(
            self.frames + other.frames, self.active + other.active, self.suppressed + other.suppressed
        )

    @property
    def percent(self) -> float:
        """Of the frames in which the target speaks."""
        return 100 * self.suppressed / max(1, self.active)

    @property
    def seconds_per_half_hour(self) -> float:
        """Of recording, pauses included."""
        return 1800 * self.suppressed / max(1, self.frames)


def over_suppression(output: Samples, target: Samples) -> OverSuppression:
    """TSOS (arXiv 2110.09625, section 3.2): frames in which the target is audibly cut.

    Per frame the sum over frequency of ``max(|S|^p - |Y|^p, 0)^2`` against ``THRESHOLD`` times that of ``|S|^(2p)``,
    with p = 0.3. Public implementations compare with ``|S|^p``, which has another unit: their figures depend on the
    level and the scale of the transform, and are not to be set beside these.

    Parameters
    ----------
    output, target : [samples] at 16 kHz, aligned and of one scale; the target is what the output should be
    """
    s, y = _magnitudes(target), _magnitudes(output)
    active = _active(s)
    own = np.sum(s ** (2 * POWER), axis=0)
    missing = np.sum(np.maximum(s**POWER - y**POWER, 0) ** 2, axis=0)
    suppressed = active & (missing > THRESHOLD * own)
    return OverSuppression(len(active), int(active.sum()), int(suppressed.sum()))


def interferer_suppression_db(noisy: Samples, output: Samples, target: Samples, others: Samples) -> float:
    """How much weaker the output is than the input while other talkers speak and the target does not.

    [samples] each, aligned. NaN if there is no such frame.
    """
    talking = _active(_magnitudes(others)) & ~_active(_magnitudes(target))
    if not talking.any():
        return float("nan")
    before, after = (np.sum(_magnitudes(x)[:, talking] ** 2) for x in (noisy, output))
    return float(10 * np.log10((before + 1e-12) / (after + 1e-12)))


def _magnitudes(x: Samples) -> npt.NDArray[np.float64]:
    """[frequencies, frames]; every frame is whole."""
    padded = np.pad(x, (0, max(0, WINDOW - len(x))))
    _, _, spectrum = scipy.signal.stft(
        padded, SAMPLE_RATE, nperseg=WINDOW, noverlap=WINDOW - HOP, boundary=None, padded=False
    )
    out: npt.NDArray[np.float64] = np.abs(spectrum)
    return out


def _active(magnitudes: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    level = 10 * np.log10(np.sum(magnitudes**2, axis=0) + 1e-20)
    active: npt.NDArray[np.bool_] = (level > level.max(initial=-200) - ACTIVE_DB) & (level > QUIETEST_DBFS)
    return active
