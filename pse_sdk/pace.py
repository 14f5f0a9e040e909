"""How late a block of a live stream is handed over, told from when the earlier ones came. No clock inside.

Who waits for a core does so before `Enhancer.process` is called, where no frame time shows it. With a busy loop on the
same core, 37 % of the blocks of 10 ms were handed over 4.6 ms after they were due, and 2 % of the frames took longer
than 5 ms themselves. What tells is the clock of the samples: the n-th block of a microphone ends at a fixed time plus
the seconds of audio so far, so that who comes later than the earliest did is late.

That holds only where blocks come as they are recorded. Of files, bursts and pauses nothing is said:

- a block *before* its time shows that blocks do not wait for a microphone: the search for the clock starts anew, and
  ends when most of the blocks that were waited for came on time;
- after a block that is a whole block late, a microphone has the next one ready; where that has to be waited for, the
  stream paused. Its clock is then the later one; blocks may still come earlier for a while, if it was no pause after
  all, or the first block after it was late.
"""

from __future__ import annotations

from typing import NamedTuple

# A block within this much of its time, or this part of its length if that is more, is on time.
TOLERANCE_S, TOLERANCE = 1e-3, 0.1
# With less than this, or this part of a block, between two calls of `process`, the second block had been waiting.
GAP_S, GAP = 1e-3, 0.1
# Blocks that must have been waited for until the clock is believed, and the share of them that must have been on time.
# Blocks that come in pairs are on time every other time; with one busy loop on the core, 63 % were, and with several,
# under half. Where the system tells for how long it held the thread off (Linux), that is excused: of 400 blocks on a
# core that others used, 36 % were on time, and 98 % but for that.
ENOUGH, ON_TIME = 50, 0.55
GAIN = 0.01
# The sound card's clock against ours: a fast one is followed at once, a slow one at this rate.
DRIFT = 500e-6
# Nobody who records in real time hands over so much at once.
LONGEST_S = 1.0


class Arrival(NamedTuple):
    """What is known of a block when it is handed over.

    Parameters
    ----------
    late_s : seconds after its time; None where that is not known
    stalled : the block before was at least its own length late, as only this one shows
    """

    late_s: float | None = None
    stalled: bool = False


UNKNOWN = Arrival()


def tolerance_s(block_s: float) -> float:
    """How late a block of ``block_s`` seconds may be and still be on time."""
    return max(TOLERANCE_S, TOLERANCE * block_s)


class Pace:
    """Follows one stream: call `enter` as a block is handed over, and `leave` when it is done."""

    def __init__(self) -> None:
        self._entered = self._left = self._samples_s = 0.0
        self._restart()

    def enter(self, at_s: float, block_s: float, held_off_s: float = 0.0) -> Arrival:
        """A block is handed over.

        Parameters
        ----------
        at_s : the time
        block_s : seconds of audio in it
        held_off_s : for how long since the last block was done the thread was ready to run, and had no core; 0 where
            the system does not tell. A block that is late by no more does not speak against the clock
        """
        if block_s == 0:
            return UNKNOWN
        if block_s > LONGEST_S or at_s < self._entered:  # no live audio, or a clock set back
            self._restart()
            self._entered = self._left = at_s
            return UNKNOWN
        gap, passed = at_s - self._left, at_s - self._entered
        self._entered = self._left = at_s
        self._samples_s += block_s
        held_off_s = min(max(held_off_s, 0.0), gap)
        waited_for = gap - held_off_s >= max(GAP_S, GAP * block_s)
        tolerance = tolerance_s(block_s)
        excused_s = tolerance + held_off_s
        return self._place(at_s - self._samples_s, passed, block_s, tolerance, excused_s, waited_for)

    def leave(self, at_s: float) -> None:
        """The block that was handed over last is done at the time ``at_s``."""
        self._left = max(self._left, at_s)

    def _restart(self) -> None:
        self._clock_s: float | None = None
        self._former_s: float | None = None
        self._first_s = self._searched_s = 0.0
        self._waited_for = self._since_pause = 0
        self._on_time = 0.0
        self._in_doubt = self._known = False

    def _place(
        self, offset: float, passed: float, block_s: float, tolerance: float, excused_s: float, waited_for: bool
    ) -> Arrival:
        """Hold the ``offset`` of the arrival from the audio so far against the stream's clock, and learn from it."""
        in_doubt, self._in_doubt = self._in_doubt, False
        paused = in_doubt and waited_for and passed > block_s / 2
        clock = self._follow(offset, passed, tolerance, paused)
        if clock is None:
            if waited_for:
                self._clock_s = self._first_s = offset
            return UNKNOWN
        late = max(0.0, offset - clock)
        self._clock_s = min(clock, offset)
        if waited_for:
            self._learn(late <= excused_s)
        if not self._known:
            return UNKNOWN
        if late >= block_s and waited_for:
            self._in_doubt = True
            return UNKNOWN
        return Arrival(late if late > tolerance else 0.0, stalled=in_doubt and not paused)

    def _follow(self, offset: float, passed: float, tolerance: float, paused: bool) -> float | None:
        """The stream's clock now; None where the search for it has to begin."""
        if self._clock_s is None:
            return None
        self._clock_s += DRIFT * passed
        self._searched_s += passed
        self._since_pause += 1
        if self._since_pause > ENOUGH:
            self._former_s = None
        if paused:
            self._former_s = self._clock_s if self._former_s is None else self._former_s
            self._clock_s, self._since_pause = offset, 0
        earliest = self._clock_s if self._former_s is None else self._former_s
        if offset < max(earliest, self._first_s - DRIFT * self._searched_s) - tolerance:
            self._restart()
        return self._clock_s

    def _learn(self, on_time: bool) -> None:
        self._waited_for += 1
        self._on_time += (on_time - self._on_time) * max(GAIN, 1 / self._waited_for)
        self._known = self._known or (self._waited_for >= ENOUGH and self._on_time >= ON_TIME)
