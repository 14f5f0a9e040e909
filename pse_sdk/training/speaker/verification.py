"""Speaker verification: are two recordings of one voice? The equal error rate over all pairs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def equal_error_rate(scores: npt.NDArray[np.floating], same: npt.NDArray[np.bool_]) -> float:
    """Error rate at the threshold where as large a part of ``same`` pairs is refused as of the others is accepted.

    Parameters
    ----------
    scores : [pairs], larger for more alike
    same : [pairs], whether the pair is of one voice; both kinds must occur
    """
    order = np.argsort(-scores, kind="stable")
    accepted_same = np.cumsum(same[order])
    accepted_other = np.cumsum(~same[order])
    refused = 1 - accepted_same / accepted_same[-1]
    accepted = accepted_other / accepted_other[-1]
    at = int(np.argmin(np.abs(refused - accepted)))
    return float((refused[at] + accepted[at]) / 2)
