"""SI-SDR of one recording."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

# Beyond what float32 samples can hold. An infinite score of one item would be the mean of all.
LIMIT_DB = 100.0


def si_sdr(output: npt.NDArray[Any], target: npt.NDArray[Any]) -> float:
    """Scale-invariant signal-to-distortion ratio in dB (arXiv 1811.02508, eq. 5), -100 to 100; mean not removed.

    Parameters
    ----------
    output, target : [samples], aligned; any scale

    Returns
    -------
    NaN for a silent target, of which nothing can be kept.
    """
    y, s = (np.asarray(x, np.float64) for x in (output, target))
    energy = s @ s
    if energy == 0:
        return float("nan")
    projection = (y @ s) / energy * s
    residual = y - projection
    kept, lost = projection @ projection, residual @ residual
    if kept == 0:
        return -LIMIT_DB
    if lost == 0:
        return LIMIT_DB
    return float(np.clip(10 * np.log10(kept / lost), -LIMIT_DB, LIMIT_DB))
