"""The protocol of a duplex audio device: what sound cards, a virtual one and a test's script have in common."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]


class Ends(Protocol):
    """Where a device's audio goes to and comes from. Called from the device's own threads, and quick."""

    def capture(self, samples: Float32, glitch: bool) -> None:
        """The next samples of the microphone, [samples]; ``glitch`` if some before them were lost."""
        ...

    def play(self, samples: Float32, glitch: bool) -> None:
        """Fill in the next samples for the loudspeaker, [samples]; ``glitch`` if it stood still before."""
        ...


class Duplex(Protocol):
    """A microphone and a loudspeaker, both mono, perhaps of two devices with a clock each.

    Parameters
    ----------
    name : for people
    rate : samples per second, the same at every `open`
    """

    name: str
    rate: int

    def open(self, ends: Ends, block: int) -> float:
        """Start calling ``ends`` with about ``block`` samples at a time.

        Returns
        -------
        Seconds that a sound takes through the device's own buffers, in and out.

        Raises
        ------
        AudioError
            If there is no such device, now.
        """
        ...

    def close(self) -> None:
        """Stop. Never raises, also when the device is gone."""
        ...

    @property
    def running(self) -> bool:
        """False once a side has stopped by itself."""
        ...
