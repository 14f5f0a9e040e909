"""Heat: how many levels of depth a hot or throttled machine takes off. A pure function of readings and time.

Frame times show a slow clock only when it is slow already. Doing less while the machine is hot keeps it from
slowing down for everybody, so the ceiling falls level by level until it cools, and rises again with more patience.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

# Temperature over the processor's critical one: from HOT on the ceiling falls, under COOL it rises.
HOT, COOL = 0.95, 0.87
# Clock over its maximum, while so large a part of all cores works: an idle machine's clock is low by choice.
THROTTLED, UNTHROTTLED, WORKING = 0.4, 0.5, 0.7
# Packages and fans answer within some ten seconds: see what one level brought before the next.
FALL_S, RISE_S = 5.0, 20.0


@dataclass(frozen=True)
class Relief:
    """How many levels heat takes off the ceiling, and for how long the machine has been strained or at ease."""

    levels: int = 0
    strained_s: float = 0.0
    at_ease_s: float = 0.0


NONE = Relief()


def relieve(
    before: Relief, cpu: float | None, heat: float | None, clock: float | None, seconds: float, most: int
) -> Relief:
    """The relief after ``seconds`` more of the present readings.

    Parameters
    ----------
    cpu : load of all cores, 0..1
    heat : temperature over the processor's critical one
    clock : over its maximum, 0..1
    most : levels that there are to take off
    """
    if before.levels > most:  # after a change of profile; not a copy for every frame
        before = replace(before, levels=most)
    if heat is None and clock is None:
        return NONE  # what was read once and no longer is known must not limit for ever
    working = cpu is not None and cpu >= WORKING
    strained = (heat is not None and heat >= HOT) or (clock is not None and clock <= THROTTLED and working)
    at_ease = (heat is None or heat < COOL) and (clock is None or clock >= UNTHROTTLED or not working)
    if strained:
        return _strain(before, seconds, most)
    if at_ease and before.levels:
        rested = before.at_ease_s + seconds
        return Relief(before.levels, 0.0, rested) if rested < RISE_S else Relief(before.levels - 1)
    return Relief(before.levels) if before.levels else NONE


def _strain(before: Relief, seconds: float, most: int) -> Relief:
    strained = before.strained_s + seconds
    if before.levels == 0 or strained >= FALL_S:  # the first level at once
        return Relief(min(before.levels + 1, most))
    return Relief(before.levels, strained)
