"""A part of the recordings, to see what the amount of data is worth."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict

from pse_sdk.training.data import Clip, Clips

# Of a product of floats: 0.07 of 100 voices are 7.
ROUNDING = 1e-9


def subset(clips: Clips, share: float) -> Clips:
    """Recordings of a share of the voices of each source, or of the recordings where a source names none.

    Noise keeps its balance: the share is taken of each category. What is kept depends on the names alone, and a
    smaller share is part of a larger one.
    """
    if share == 1:
        return clips
    groups: dict[tuple[str, str], dict[str, list[Clip]]] = defaultdict(lambda: defaultdict(list))
    voices = {source: {c.speaker for c in found} for source, found in clips.by_source.items()}
    for clip in clips.clips:
        unit = clip.speaker if len(voices[clip.source]) > 1 else clip.path
        groups[clip.source, clip.category][unit].append(clip)
    kept: list[Clip] = []
    for units in groups.values():
        names = sorted(units, key=lambda name: hashlib.sha256(name.encode()).digest())
        kept += [clip for name in names[: math.ceil(share * len(names) - ROUNDING)] for clip in units[name]]
    return Clips(clips.samples, sorted(kept, key=lambda clip: clip.start))
