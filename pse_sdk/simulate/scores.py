"""How well a replay did, beside an oracle's: misses, depth, changes, and how fast it followed the load."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pse_sdk.profiles import Profile
from pse_sdk.simulate.replay import Depths, Replay, depth_range
from pse_sdk.simulate.trace import Bools, LoadTrace

# What is measured first belongs to another machine's expectations: frames count from here on.
WARM_S = 5.0
# A shallower depth for this few frames, and back again, is a dip and not a change.
DIP_FRAMES = 3
# An answer to a load must hold for this long.
HOLDS_S = 0.5
# Only pauses of the load of at least this length are asked whether the depth recovered in them.
PAUSE_S = 4.0


@dataclass(frozen=True)
class Scores:
    """Figures of one replay, over the frames after the first `WARM_S` seconds, and over the onsets and pauses there.

    Parameters
    ----------
    late : share of the frames over the deadline
    avoidable : share of the frames that were late and would not have been at the profile's least depth
    longest_avoidable : most of those in a row
    mean_depth : heard
    of_oracle : the mean depth over the oracle's
    changes_per_minute : of the heard depth, without dips
    dips_per_minute : a shallower depth for `DIP_FRAMES` frames or fewer, and back
    cpu_share : mean CPU time of a frame over the hop
    reaction_frames : the longest, over all onsets of load, until a depth ran that fits it, for `HOLDS_S` at least
    recovery_s : the longest, over all pauses of the load, until the depth was heard that fits them; a pause in which
        it was not counts with its length
    """

    late: float
    avoidable: float
    longest_avoidable: int
    mean_depth: float
    of_oracle: float
    changes_per_minute: float
    dips_per_minute: float
    cpu_share: float
    reaction_frames: int | None
    recovery_s: float | None


def score(run: Replay, best: Replay, trace: LoadTrace, profile: Profile) -> Scores:
    """``run`` against ``best``, the oracle's replay of the same trace under the same profile."""
    warm = slice(_warm(trace), None)
    avoidable = run.avoidable[warm]
    minutes = len(avoidable) * trace.hop_s / 60
    changes, dips = count_changes(run.heard[warm])
    depth, best_depth = float(run.heard[warm].mean()), float(best.heard[warm].mean())
    return Scores(
        late=float(run.late[warm].mean()),
        avoidable=float(avoidable.mean()),
        longest_avoidable=_longest(avoidable),
        mean_depth=depth,
        of_oracle=depth / best_depth if best_depth else 1.0,
        changes_per_minute=changes / minutes,
        dips_per_minute=dips / minutes,
        cpu_share=float(run.cpu_s[warm].mean() / trace.hop_s),
        reaction_frames=_reaction(run, trace, profile),
        recovery_s=_recovery(run, trace, profile),
    )


def count_changes(depths: Depths) -> tuple[int, int]:
    """(changes, dips) in a sequence of depths."""
    starts = np.flatnonzero(np.diff(depths, prepend=depths[0] - 1))
    lengths, values = np.diff(starts, append=len(depths)), depths[starts]
    dips = 0
    kept = [int(values[0])]
    for i in range(1, len(values)):
        back = i + 1 < len(values) and values[i + 1] == kept[-1]
        if back and values[i] < kept[-1] and lengths[i] <= DIP_FRAMES:
            dips += 1
        elif values[i] != kept[-1]:
            kept.append(int(values[i]))
    return len(kept) - 1, dips


def _warm(trace: LoadTrace) -> int:
    """The first frame that counts: of a short trace the second half does."""
    return min(round(WARM_S / trace.hop_s), trace.frames // 2)


def _reaction(run: Replay, trace: LoadTrace, profile: Profile) -> int | None:
    """Frames from the worst-answered onset until the depth fits the deadline under the load that then is."""
    holds = max(1, round(HOLDS_S / trace.hop_s))
    waits = []
    for start, end in _segments(trace.loaded, True):
        if start < _warm(trace) or end - start < 2 * holds:
            continue
        slowdown = float(np.median(trace.slowdown[start : start + 2 * holds]))
        fits = run.ran[start:end] <= _fitting(slowdown, slowdown, trace, profile, share=False)
        waits.append(next((n for n in range(end - start - holds) if fits[n : n + holds].all()), end - start))
    return max(waits) if waits else None


def _recovery(run: Replay, trace: LoadTrace, profile: Profile) -> float | None:
    """Seconds until the depth is heard that fits nearly every frame of the pause, in the slowest pause."""
    waits = []
    for start, end in _segments(trace.loaded, False):
        if start < _warm(trace) or (end - start) * trace.hop_s < PAUSE_S:
            continue
        mean, high = float(trace.slowdown[start:end].mean()), float(np.quantile(trace.slowdown[start:end], 0.99))
        back = np.flatnonzero(run.heard[start:end] >= _fitting(mean, high, trace, profile, share=True))
        waits.append((int(back[0]) if len(back) else end - start) * trace.hop_s)
    return max(waits) if waits else None


def _fitting(mean: float, high: float, trace: LoadTrace, profile: Profile, share: bool) -> int:
    """The deepest depth whose frames fit at these slowdowns, stalls aside; the shallowest where none does."""
    shallowest, deepest = depth_range(trace, profile)
    fits = trace.costs_s * high <= profile.deadline_share * trace.hop_s
    if share:
        fits &= trace.costs_s * mean <= profile.cpu_share * trace.hop_s
    return max(min(int(fits.sum()), deepest), shallowest)


def _segments(flags: Bools, value: bool) -> list[tuple[int, int]]:
    """[start, end) of every run of ``value``."""
    inside: npt.NDArray[np.bool_] = np.concatenate([[False], flags == value, [False]])
    edges = np.flatnonzero(np.diff(inside.astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _longest(flags: Bools) -> int:
    return max((end - start for start, end in _segments(flags, True)), default=0)
