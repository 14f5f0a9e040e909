"""What BLOOM-Net printed, and what its table says in words (arXiv 2111.09372, Table 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pse_sdk.training.reproduce.score import Gains, difference

# Rows in the order of the table.
TITLES = {
    "full": "Baseline 1 Full: end to end, cut short",
    "int": "Baseline 1 Int.: one model per depth (upper bound)",
    "chain": "Baseline 2: chain in the time domain",
    "bloom": "BLOOM: block by block",
    "bloom-ft": "BLOOM-FT: then all together",
    "joint": "ours: joint, random heads",
    "weighted": "ours, all heads, weighted by depth",
    "distilled": "ours, deeper teaches shallower",
    "switching": "ours, depth changes in the recording",
    "longer": "ours, twice the steps",
    "half-data": "ours, half of the data",
}
OURS = ("joint", "weighted", "distilled", "switching")

# SI-SDR improvement in dB at depth 1..6, Conv-TasNet blocks.
PAPER = {
    "full": (-0.60, -0.86, -0.12, 0.40, 0.97, 8.89),
    "int": (4.55, 6.83, 7.65, 8.30, 8.58, 8.89),
    "chain": (4.55, 5.01, 5.17, 5.25, 5.25, 5.25),
    "bloom": (4.55, 6.13, 6.92, 7.40, 7.61, 7.75),
    "bloom-ft": (4.74, 6.55, 7.44, 8.14, 8.51, 8.72),
}

# How far from the upper bound, in dB, the fine-tuned model may be, and ours is meant to be.
FINE_TUNED_DB, OURS_DB = 0.3, 0.1
# What the last link of a chain adds, in dB, where it has saturated.
SATURATED_DB = 0.1


@dataclass(frozen=True)
class Finding:
    """A shape of the paper's table, whether ours has it, and by what figures."""

    claim: str
    holds: bool
    evidence: str

    def __str__(self) -> str:
        return f"{'holds' if self.holds else 'does not hold'}: {self.claim} ({self.evidence})"


def findings(rows: Mapping[str, Gains]) -> list[Finding]:
    """Which of the paper's shapes hold, of those whose rows are there."""
    found = []
    if {"full", "int"} <= set(rows):
        found.append(_cut_short(rows))
    if "chain" in rows:
        found.append(_saturates(rows["chain"].mean(0)))
    for row in ("bloom-ft", *OURS):
        if {row, "int"} <= set(rows):
            found.append(_near_the_bound(rows, row))
    return found


def _cut_short(rows: Mapping[str, Gains]) -> Finding:
    cut, smallest = rows["full"].mean(0)[:-1], rows["int"].mean(0)[0]
    return Finding(
        "an end-to-end model cut short is worse, at every depth, than the smallest model",
        bool((cut < smallest).all()),
        f"at best {cut.max():.2f} dB, the smallest model {smallest:.2f} dB",
    )


def _saturates(chain: Gains) -> Finding:
    added = np.diff(chain)
    return Finding(
        f"the last link of the chain adds less than {SATURATED_DB} dB",
        bool(added[-1] < SATURATED_DB),
        "the links add " + ", ".join(f"{x:+.2f}" for x in added) + " dB",
    )


def _near_the_bound(rows: Mapping[str, Gains], row: str) -> Finding:
    bound = FINE_TUNED_DB if row == "bloom-ft" else OURS_DB
    apart = [difference(rows[row], rows["int"], depth) for depth in range(1, rows["int"].shape[1] + 1)]
    worst = min(apart, key=lambda d: d.mean)
    return Finding(
        f"{TITLES[row]}, within {bound} dB of the upper bound at every depth",
        worst.mean >= -bound,
        "apart by " + ", ".join(f"{d.mean:+.2f} ± {d.margin:.2f}" for d in apart) + " dB",
    )
