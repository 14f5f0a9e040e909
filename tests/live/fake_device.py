"""A duplex device that does what a test says, sample by sample, in the test's own thread."""

from __future__ import annotations

import numpy as np

from pse_sdk.errors import AudioError
from pse_sdk.live.device import Ends, Float32


class FakeDuplex:
    """Gives ``signal`` to whoever opened it, block by block as `turn` is called, and keeps what it is given to play."""

    def __init__(self, signal: Float32, rate: int = 16000) -> None:
        self.name, self.rate, self.signal = "fake", rate, signal
        self.plugged = True
        self.at = self.opened = 0
        self.heard: list[Float32] = []
        self.ends: Ends | None = None

    def open(self, ends: Ends, block: int) -> float:
        if not self.plugged:
            raise AudioError("fake: not there")
        self.ends, self.block = ends, block
        self.opened += 1
        return 0.03

    def close(self) -> None:
        self.ends = None

    @property
    def running(self) -> bool:
        return self.ends is not None and self.plugged

    def turn(self, capture: bool = True, play: bool = True, glitch: bool = False) -> None:
        """One block in and one block out, or only one of them."""
        ends = self.ends  # of the whole turn: it may be closed meanwhile
        assert ends is not None
        if capture:
            block = self.signal[self.at : self.at + self.block]
            ends.capture(np.pad(block, (0, self.block - len(block))), glitch)
            self.at += self.block
        if play:
            out = np.full(self.block, np.nan, np.float32)
            ends.play(out, False)
            self.heard.append(out)

    @property
    def output(self) -> Float32:
        return np.concatenate(self.heard)
