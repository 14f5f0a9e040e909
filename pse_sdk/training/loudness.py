"""How loud the loudest part of a recording is: what its pauses are quiet against."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# 20 ms at 16 kHz.
FRAME = 320


def loudest(x: npt.NDArray[np.float32]) -> float:
    """RMS of the loudest fiftieth of [samples], 20 ms at a time."""
    frames = x[: len(x) // FRAME * FRAME].reshape(-1, FRAME) if len(x) >= FRAME else x[None]
    return float(np.sqrt(np.quantile(np.mean(np.square(frames), axis=1), 0.98))) if x.size else 0.0
