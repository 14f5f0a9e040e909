"""PESQ, STOI and DNSMOS by the libraries that the field uses. Needs the ``[eval]`` extra.

Each library is imported where it is used: nobody needs all of them, and the one for DNSMOS takes seconds to load.
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

SAMPLE_RATE = 16000
# What pystoi returns where it cannot tell.
TOO_SHORT_FOR_STOI = 1e-5
# It looks at 30 frames at once, of 25.6 ms and half as far apart.
SHORTEST_FOR_STOI = int(0.4 * SAMPLE_RATE)
# P.862 is made for 8 to 12 s, and the library writes past its arrays at the 51st utterance. These are 0.2 s at least,
# and as far apart, so that this cannot hold as many.
LONGEST_FOR_PESQ = 15 * SAMPLE_RATE
# The least that P.862.2's mapping gives (of a raw score of -0.5).
WORST_PESQ = 1.04


def pesq_wb(output: Samples, target: Samples) -> float:
    """Wide-band PESQ (ITU-T P.862.2), 1 to 4.64; NaN where the target has no utterance. Both [samples] at 16 kHz.

    Of more than 15 s the mean of equal pieces, those without an utterance left out. What is muted while somebody speaks
    has the least score: left out, it would raise the mean.
    """
    pieces = max(1, -(-len(target) // LONGEST_FOR_PESQ))
    pairs = list(zip(np.array_split(output, pieces), np.array_split(target, pieces), strict=True))
    found = [_pesq_of_piece(*pair) if pair[0].any() else _muted(pair[1]) for pair in pairs]
    scores = [score for score in found if not np.isnan(score)]
    return float(np.mean(scores)) if scores else float("nan")


def _muted(target: Samples) -> float:
    return float("nan") if np.isnan(_pesq_of_piece(target, target)) else WORST_PESQ


def _pesq_of_piece(output: Samples, target: Samples) -> float:
    from pesq import PesqError, pesq

    if not (output.any() and target.any()):  # the library divides by the peak
        return float("nan")
    try:
        return float(pesq(SAMPLE_RATE, target, output, "wb"))
    except PesqError:
        return float("nan")


def short_time_intelligibility(output: Samples, target: Samples) -> float:
    """STOI (doi 10.1109/TASL.2011.2114881), 0 to 1; NaN where less than 0.4 s of speech is left to look at."""
    from pystoi import stoi

    if len(target) < SHORTEST_FOR_STOI or not target.any():
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of silent frames
        score = float(stoi(target, output, SAMPLE_RATE))
    return float("nan") if score == TOO_SHORT_FOR_STOI else score


def dns_mos(output: Samples) -> dict[str, float]:
    """DNSMOS P.835 (arXiv 2110.01763): predicted opinion of speech (sig), background (bak) and all (ovrl), 1 to 5."""
    from speechmos import dnsmos

    scores = dnsmos.run(np.clip(output, -1, 1), sr=SAMPLE_RATE)
    return {kind: float(scores[f"{kind}_mos"]) for kind in ("sig", "bak", "ovrl")}
