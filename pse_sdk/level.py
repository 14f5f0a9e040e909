"""A gain before the model and its inverse behind it: recordings that are quieter or louder than what it was trained on.

The model was trained on recordings at -45 to -10 dBFS, and what lies below is foreign to it: at -65 dBFS it took the
voice for noise (docs/robustness.md has the figures). Microphones that quiet are common, so such a signal is lifted, the
model works on it, and its output is lowered by as much.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

# Between these the loudest window of late, in dB of full scale, leaves the signal as it is. Speech at -25 dBFS has
# windows of -15: only what is some 20 dB quieter than usual recordings is lifted, for a gain that moves costs quality.
QUIET_DB = -36.0
LOUD_DB = -5.0
# Taken for the loudest window before there was one. A recording at -25 dBFS that begins with a pause is then hardly
# lifted in it: to go by the first window at once cost such recordings 0.1 dB SI-SDR over their first 5 s.
START_DB = -25.0
# How fast the loudest window is forgotten, per frame: 30 dB a second at first, to find out how quiet the signal is,
# then 5, so that who moves away from the microphone waits, and the gain does not move with every pause.
FIRST_FORGET_DB = 0.3
FORGET_DB = 0.05
FIRST_FRAMES = 150
# What lifting ends at: the hiss of a converter is no speech.
MOST_DB = 40.0
# Windows below this say nothing of the level: gaps and pauses of recordings that were gated.
SILENCE_DB = -85.0


class InputLevel:
    """Follows the loudest windows of a signal: up at once, down slowly."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._loudest = START_DB
        self._frames = 0

    def gain(self, window: Float32) -> float:
        """What the model's input, [1, window], is multiplied by, and its output divided by; 1 for usual levels."""
        level = level_db(window[0])
        if level > SILENCE_DB:
            self._frames += 1
            forget = FORGET_DB if self._frames > FIRST_FRAMES else FIRST_FORGET_DB
            self._loudest = max(level, self._loudest - forget)
        if QUIET_DB <= self._loudest <= LOUD_DB:
            return 1.0
        wanted = QUIET_DB if self._loudest < QUIET_DB else LOUD_DB
        return float(10 ** (min(MOST_DB, wanted - self._loudest) / 20))


def level_db(samples: Float32) -> float:
    """Mean power in dB of full scale; -120 for digital silence."""
    return 10 * math.log10(float(np.dot(samples, samples)) / len(samples) + 1e-12)
