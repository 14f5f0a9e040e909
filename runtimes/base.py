"""The protocol that every runtime fulfils. A runtime is a loaded model; a stream is one signal going through it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from pse_sdk.runtimes.description import ModelDescription

Float32 = npt.NDArray[np.float32]


def check_depths(blocks: int, depth: int, head: int) -> None:
    """Raise `ValueError` for a depth or head that a model of so many blocks does not have: files would answer it."""
    if not 1 <= head <= depth <= blocks:
        raise ValueError(f"depth {depth}, head {head}: must be from 1 to {blocks}, the head not above the depth")


def check_speaker(channels: int, projection: Float32 | None) -> None:
    """Raise `ValueError` for a speaker's share of the bottleneck that is of another size."""
    if projection is not None and projection.shape != (channels,):
        raise ValueError(f"speaker of shape {projection.shape}: must be ({channels},)")


class Stream(Protocol):
    """One signal's way through a model. Holds the states, and nothing else that changes."""

    def step(self, windows: Float32, depth: int, head: int) -> Float32:
        """Run the next frames.

        Parameters
        ----------
        windows : [frames, window], consecutive windows a hop apart
        depth : how many blocks run, 1..L; the states of the others stay as they are
        head : whose output is returned, 1..depth

        Returns
        -------
        [frames, window] to overlap-add. The array may be reused by the next step.
        """
        ...

    def set_speaker(self, projection: Float32 | None) -> None:
        """The speaker's share of the bottleneck, [channels]; None for nobody in particular."""
        ...

    def states(self) -> tuple[Float32, Float32]:
        """Copies of hidden [blocks, hidden_size] and cell [blocks, cell_size]."""
        ...

    def set_states(self, hidden: Float32, cell: Float32) -> None: ...

    def forget(self, depth: int) -> None:
        """Set the states of all blocks above ``depth`` to zero: they did not run, and what they knew is old."""
        ...

    def reset(self) -> None:
        """Back to the states of a new stream; the speaker stays."""
        ...


class Runtime(Protocol):
    """A loaded model, shared by any number of streams."""

    name: str
    description: ModelDescription
    path: Path | None  # the file that was loaded; None for a model that never was one

    def open_stream(self) -> Stream: ...
