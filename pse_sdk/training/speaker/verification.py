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
    # Pairs of one score are accepted together, so only the last of them is a threshold; above all of them, none is.
    thresholds = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    accepted_same, accepted_other = (np.append(0, np.cumsum(kind[order])[thresholds]) for kind in (same, ~same))
    refused = 1 - accepted_same / accepted_same[-1]
    accepted = accepted_other / accepted_other[-1]
    # Where the two rates cross, between two thresholds: `refused` falls from 1 to 0, `accepted` rises from 0 to 1.
    after = int(np.argmax(accepted >= refused))
    gap_before, gap = refused[after - 1] - accepted[after - 1], refused[after] - accepted[after]
    share = gap_before / (gap_before - gap)
    return float(accepted[after - 1] + share * (accepted[after] - accepted[after - 1]))
