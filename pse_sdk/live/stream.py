"""Between a device and the enhancer: two rings, a fixed delay, and what to do when somebody is late."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pse_sdk.enhancer import Enhancer
from pse_sdk.level import level_db
from pse_sdk.live.device import Float32
from pse_sdk.live.ring import TimedRing
from pse_sdk.pcm import sanitise

# Input older than this, or than the cushion, when it is its turn is left out: its output would come too late, and
# catching up makes a slow machine slower.
TOO_LATE_S = 0.1
# Two devices have two clocks. The delay may drift this far above the cushion before it is set anew.
TOO_EARLY_S = 0.05
# A microphone that was silent for longer has slept: what the model knew is of another time.
SLEEP_S = 1.0
RING_S = 2.0
# Time constant of the level meters.
METER_S = 0.3


class LiveStream:
    """What the microphone hears is played ``cushion`` samples and the enhancer's latency later.

    The device's threads call `capture` and `play`, a worker `pump`; nobody waits for anybody. Output that is not ready
    when it is its time is silence (an underrun), and dropped when it comes, so that the lag does not grow.

    Parameters
    ----------
    enhancer : at the device's rate; only the worker uses it
    cushion : samples of delay for the device's blocks and the worker, at least two blocks
    clock : seconds, also while the machine sleeps (a monotonic clock stands still on Linux and macOS)
    """

    def __init__(self, enhancer: Enhancer, cushion: int, clock: Callable[[], float]) -> None:
        rate = enhancer.sample_rate
        self._enhancer, self._cushion, self._clock = enhancer, cushion, clock
        self._input, self._output = TimedRing(int(RING_S * rate)), TimedRing(int(RING_S * rate))
        self._too_late, self._too_early = max(int(TOO_LATE_S * rate), cushion), cushion + int(TOO_EARLY_S * rate)
        # Samples that the microphone gave, that the worker took of them, and that the loudspeaker got.
        self.captured = self.taken = self.played = 0
        self._block = 0  # samples that the microphone gave last
        # Input n is played at n + offset; None until there is input. Silence before ``due`` is no underrun.
        self._offset: int | None = None
        self._due = 0
        self._last_capture: float | None = None
        self._start_anew = False
        # From a block's arrival to when it is wanted, samples, in the mean; None until the first that was aligned.
        self._delay: float | None = None
        self.underruns = self.glitches = self.resyncs = self.realigned = self.sleeps = self.skipped = 0
        self.input_power = self.output_power = 0.0

    # ---- the device's threads

    def capture(self, samples: Float32, glitch: bool = False) -> None:
        now = self._clock()
        if self._last_capture is not None and now - self._last_capture > SLEEP_S:
            self.sleeps += 1
            self.restart()
        self._last_capture = now
        self._block = len(samples)
        self.glitches += glitch
        if (offset := self._offset) is not None:
            weight = min(1.0, len(samples) / (METER_S * self._enhancer.sample_rate))
            before, now = self._delay, float(self.captured + offset - self.played)
            self._delay = now if before is None else before + weight * (now - before)
        self._input.write(self.captured, samples)
        self.captured += len(samples)

    def play(self, samples: Float32, glitch: bool = False) -> None:
        self.glitches += glitch
        samples[:], missing = self._output.read(self.played, len(samples))
        self.underruns += missing > 0 and self._offset is not None and self.played >= self._due
        self.played += len(samples)

    def restart(self) -> None:
        """After a break: a new stream for the model, a new delay, and no underruns until its output can be there."""
        self._last_capture = None
        self._offset = None
        self._start_anew = True

    @property
    def delay(self) -> float:
        """Samples from a block's arrival to when it is wanted: about the cushion, and what the clocks have drifted."""
        return float(self._cushion) if self._delay is None else self._delay

    # ---- the worker's thread

    def pump(self) -> int:
        """Enhance what has come; returns how many samples that were."""
        if self._start_anew:
            self._start_anew = False
            self._offset = None
            self._enhancer.reset()
            self.taken = self.captured
        if self.captured - self.taken > self._too_late:
            self.resyncs += 1
            self.skipped += self.captured - self.taken
            self.taken = self.captured
        if self._input.end <= self.taken:
            return 0
        offset = self._align()
        count = self._input.end - self.taken
        noisy, _ = self._input.read(self.taken, count)
        clean = self._enhancer.process(noisy)
        self._output.write(self.taken + offset, clean)
        self.taken += count
        self._meter(sanitise(noisy)[0], clean)  # one NaN would stay in the meter for good
        return count

    def _align(self) -> int:
        """From positions of the microphone to those of the loudspeaker; set anew where their clocks have parted."""
        offset, played = self._offset, self.played  # once: other threads change them
        waiting = self._input.end - self.taken
        # A block that comes at its time and of which a part is too late already is no late worker's, whose blocks wait:
        # the clocks have parted, and a part of every block to come would be cut.
        if offset is not None and self._block - waiting <= self.taken + offset - played <= self._too_early:
            return offset
        # What has piled up would stay in the lag for good: only the newest is played.
        old = max(0, waiting - self._cushion // 2)
        self.taken += old
        if offset is not None:
            self.realigned += 1
            self.skipped += old
        self._due = played + self._cushion
        self._offset = offset = self._due - self.taken
        self._delay = None
        return offset

    def _meter(self, noisy: Float32, clean: Float32) -> None:
        weight = min(1.0, len(noisy) / (METER_S * self._enhancer.sample_rate))
        self.input_power += weight * (float(np.mean(noisy**2)) - self.input_power)
        self.output_power += weight * (float(np.mean(clean**2)) - self.output_power)


def meter_db(power: float) -> float:
    """A meter's power in dB of full scale."""
    return level_db(np.array([power**0.5], np.float32))
