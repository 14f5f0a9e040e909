"""Whether somebody speaks, told from what the model makes of the signal: so that pauses cost little.

No second network: the model is itself a detector of speech. In a pause its output lies far below both its input and the
speech that it let through before.

What is best at the end of a pause was chosen among eight ways on held-out speech, 12 onsets per condition: means of the
SI-SDR of the next 1.5 s against all blocks running always; some tenths of a dB are noise. After 4 s of recorded noise
at 3, 10, 20 dB SNR, then of white noise (depth 1 from the third second on, depth 5 from the second frame with speech):

- states kept, heard at once: -0.2 -0.6 -0.7, +0.1 0.0 0.0 dB; gain in the first 50 ms at most 0.4 dB less. Chosen.
- waking blocks from zeros, heard at once: +1.8 +0.9 -0.6, -0.8 -0.7 -1.2 dB, and noise is let through at first
- the same, heard after 30 frames: +0.8 +0.3 -0.7, -0.7 -0.6 -1.2 dB

After 4.4 s of digital silence (160 onsets, a later model), states times 0, 1/8, 1/4, 0.4: SI-SDR of the next 1.5 s
+1.15, +1.16, +1.15, +1.01 dB; level of the first 100 ms in the worst tenth -7.9, -2.8, -2.9, -2.5 dB; noise left in the
pauses +5.2, +4.5, +3.9, +3.6 dB. Kept whole (40 onsets) they lose more of the onset than from zeros. All against a
stream that runs on in the silence: cells that see nothing but zeros drift, by up to 0.9 per frame. So but for its first
frames (`HEARD_FRAMES`) no block runs in digital silence, in recordings and at pinned depths neither.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pse_sdk.level import level_db

Float32 = npt.NDArray[np.float32]

# Speech is output that is at most this far below the loudest output of late. Chosen in a simulation on the levels of
# 14 held-out mixtures with recorded noise, 0 to 15 dB SNR, rest after 1 s: 20, 25, 30 dB took 1.6, 0.6, 0.5 % of the
# speech frames for a pause, and found 52, 45, 40 % of the pauses.
RANGE_DB = 25.0
# How fast the loudest output is forgotten, per frame: 1 dB a second, so that a softer speaker gets a turn.
FORGET_DB = 0.01
# What is attenuated by more than this is noise, even where nobody has spoken yet.
SUPPRESSED_DB = 20.0
# Output below this, in dB of full scale, is no speech, however silent the room.
LEAST_DB = -70.0
# Samples up to this are digital silence: dither of 16 bits, a step up and down, is no sound either. Behind 5 s of it,
# heard like any other noise, 12 recordings lost 3.4 dB SI-SDR over their first 1.5 s, 5.7 dB with a warm start.
SILENT = 1.5 / 32768
# So many frames of a silence are heard all the same. With 0, 10, 50, all of them SI-SDR of the 1.5 s after 0.4 s, 5 s
# of silence at the beginning, 0.4 s, 2 s in the middle was 4.0 4.0 13.5 13.6, 3.8 4.0 13.3 13.5, 3.3 3.8 13.1 13.3,
# 3.3 -0.3 13.1 13.2 dB for 16 held-out recordings at 5 dB SNR, and 21.8 21.8 28.7 27.6, 22.3 22.0 30.1 28.2,
# 22.3 22.1 30.4 28.6, 22.3 19.2 30.4 31.6 dB without noise: that a voice comes out of silence is worth knowing.
HEARD_FRAMES = 10
# After this much digital silence the states are this part of what they were: place, noise and speaker may be others. A
# gap shorter than that is of the same conversation.
LONG_SILENCE_S = 0.5
FADED = np.float32(0.25)


def is_silent(samples: Float32) -> bool:
    """Whether there is nothing but digital silence in it."""
    return float(np.abs(samples).max()) <= SILENT


@dataclass(frozen=True)
class Rest:
    """What to do in pauses.

    Parameters
    ----------
    after_s : seconds without speech until the pause begins; infinite where none ever does, and only digital silence is
        left out
    depth : how many blocks run in it, at least one, as they are what hears the end of it
    """

    after_s: float
    depth: int


class SpeechDetector:
    """Counts the frames since somebody spoke, from the model's input and output. No clock, no network."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        # Frames since the last speech: what `Rest.after_s` is held against.
        self.quiet = 0
        self._loudest = LEAST_DB

    def observe(self, noisy: Float32, enhanced: Float32) -> bool:
        """Take one window [1, window] before and after the model; True if somebody speaks in it."""
        before, after = level_db(noisy[0]), level_db(enhanced[0])
        self._loudest = max(after, self._loudest - FORGET_DB)
        speaks = after > max(self._loudest - RANGE_DB, before - SUPPRESSED_DB, LEAST_DB)
        self.quiet = 0 if speaks else self.quiet + 1
        return speaks
