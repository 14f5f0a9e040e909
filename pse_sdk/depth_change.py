"""From one depth to another without being heard: blocks that wake up run silently before their head speaks."""

from __future__ import annotations

# Frames that a waking block runs before its output is used. It starts from zeros: its last state, perhaps seconds
# old, was measured to be worse (1.0 dB below the shallower depth after going from 1 to 5 at once; zeros 0.1 dB).
# A rise that the controller takes back within this time is not heard at all.
WARM_UP = 30
# Nobody takes back a depth that the app pinned, and training has heard such changes: 6, 10, 15, 20, 30 frames brought
# 0.83, 0.76, 0.67, 0.59, 0.49 dB SI-SDR over the second after a change from depth 1 to 5 (72 changes); with 10 one pair
# of depths stood below the shallower one in the first 200 ms that are heard.
PINNED_WARM_UP = 15
# A block that rests for no more frames than this goes on from its state, and is heard at once: after 0.2, 0.4 and
# 0.58 s at depth 1, depth 5 stood 2.2, 1.8 and 1.1 dB SI-SDR above depth 1 over the next 200 ms (40 mixtures; from
# zeros, with the warm-up, 0.3, 0.1 and 0.1). After more than a second an old state is worse than none.
REST = 60
# The same where all blocks rest: nobody listened, and if the model failed its states are not to be trusted.
BYPASS_REST = 3


class DepthChange:
    """Turns wanted depths into (blocks that run, head that is heard), frame by frame.

    Going down needs no care: the shallower blocks have run all along. Going up, the deeper blocks know
    nothing yet, so the head heard so far goes on for `WARM_UP` frames, or `PINNED_WARM_UP` where the app chose
    the depth; after a short rest they do, and it does not. Each further block begins that time anew, so of a climb
    block by block only the end is heard: one change instead of four.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        # A new stream starts at once at any depth: every block's state is new.
        self._warm: int | None = None
        self._rising = 0
        self._frames = 0
        self._before_rest: tuple[int, int, int] | None = None
        self._rested = 0
        self.ran = 0
        """Blocks that the last frame was to run."""
        self.kept = 0
        """Blocks whose states the frame at hand goes on from; those above it start from zeros."""

    def next(self, wanted: int, pinned: bool = False) -> tuple[int, int]:
        """(blocks to run, head to hear) of the next frame; both 0 for bypass."""
        self._rest_or_return(wanted)
        self.ran = wanted
        if self._warm is None or wanted <= self._warm:
            self._warm, self._rising = wanted, 0
            return wanted, wanted
        if wanted != self._rising:
            self._rising, self._frames = wanted, 0
        self._frames += 1
        if self._frames > (PINNED_WARM_UP if pinned else WARM_UP):
            self._warm, self._rising = wanted, 0
            return wanted, wanted
        return wanted, self._warm

    def _rest_or_return(self, wanted: int) -> None:
        """Remember how things stood when blocks go to rest, and go on from there if they come back soon."""
        self.kept = self.ran
        if wanted < self.ran and self._before_rest is None and self._warm is not None:
            self._before_rest, self._rested = (self._warm, self._rising, self._frames), 0
        if self._before_rest is None:
            return
        warm, rising, frames = self._before_rest
        if wanted > max(self.ran, warm, rising):  # deeper than what rests: its blocks begin anew
            self._before_rest = None
            return
        if self.ran < wanted <= max(warm, rising):
            self.kept = wanted
            self._warm = min(warm, wanted)
            self._rising, self._frames = (rising, frames) if wanted == rising else (0, 0)
            self._before_rest = None
        self._rested += 1
        if self._rested > (REST if wanted else BYPASS_REST):
            self._before_rest = None
