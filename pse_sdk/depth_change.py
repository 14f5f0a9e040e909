"""From one depth to another without being heard: blocks that wake up run silently before their head speaks."""

from __future__ import annotations

# Frames that a waking block runs before its output is used. It starts from zeros: its last state, perhaps seconds
# old, was measured to be worse (1.0 dB below the shallower depth after going from 1 to 5 at once; zeros 0.1 dB).
WARM_UP = 30


class DepthChange:
    """Turns wanted depths into (blocks that run, head that is heard), frame by frame.

    Going down needs no care: the shallower blocks have run all along. Going up, the deeper blocks know
    nothing yet, so the head heard so far goes on for `WARM_UP` frames.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        # A new stream starts at once at any depth: every block's state is new.
        self._warm: int | None = None
        self._rising = 0
        self._frames = 0

    def next(self, wanted: int) -> tuple[int, int]:
        """(blocks to run, head to hear) of the next frame; both 0 for bypass."""
        if self._warm is None or wanted <= self._warm:
            self._warm, self._rising = wanted, 0
            return wanted, wanted
        if wanted != self._rising:
            self._rising, self._frames = wanted, 0
        self._frames += 1
        if self._frames > WARM_UP:
            self._warm, self._rising = wanted, 0
            return wanted, wanted
        return wanted, self._warm
