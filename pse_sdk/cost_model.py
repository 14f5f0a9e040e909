"""What a frame will cost at each depth, learned from the frames that ran. Pure: times come in as numbers.

One cost per depth and one slowdown factor that scales them all, with its deviation, as TCP keeps a round-trip time
(RFC 6298). What is seen at one depth so corrects the prediction for every other. Beside it, how often frames stall.
"""

from __future__ import annotations

from collections.abc import Sequence

# Weights of a new observation in the running estimates of slowdown and of its relative deviation.
GAIN = 0.05
GAIN_DEVIATION = 0.02
START_DEVIATION = 0.25
LEAST_DEVIATION = 0.05
# CPU time is averaged over a fifth of a second and over ten seconds.
GAIN_CPU_NOW = 0.05
GAIN_CPU_MEAN = 0.001
# How fast one depth's share of the total cost moves to what this machine shows, and for how many frames after a change
# of depth: later the slowdown has taken up the difference, and there is nothing more to learn of the share.
GAIN_BASE = 0.01
FRESH = 50
# What was learned of one depth fades over about ten seconds: nothing else would correct a wrong share of a depth
# that does not run.
LEAK_BASE = 0.001
# A frame this many deviations off the estimate is an outlier. One on its own is most often the operating system's
# doing and says nothing of the next frame; a second in a row is a new situation and counts at once. Where the thread
# was held off its core, it takes a third: a neighbour's time slices fall where they may.
OUTLIER = 4.0
IN_A_ROW, IN_A_ROW_STALLED = 2, 3
# A slowdown that changes at once by the first factor is another load, and nobody's mistake. By the second, it is
# another load so surely that the stalls counted under the old one are void.
OTHER_LOAD, QUITE_OTHER_LOAD = 1.6, 2.0
# Late frames and stalls are counted over about ten seconds. The count starts anew after a calm that would be a chance
# of exp(-5) if stalls came on as they did.
GAIN_LATE = 0.001
CALM = 5.0
# Waits for a core are averaged over half a second, and count with this many mean deviations above their mean: what
# every third frame meets so counts in full, what is rare hardly. With one deviation more depth is kept, and on replayed
# waits no more frames are late; but on a real core a deeper network waits longer as well, and more were.
GAIN_WAIT = 0.02
WAIT_DEVIATIONS = 2.0
# Frames wait where this is usual, until it is no more than that.
WAITING_S, WAITED_S = 2e-3, 0.5e-3
# Bypass brings no measurements; the slowdown is forgotten at this rate per frame, so that depth 1 is tried again.
FORGET = 0.005
# What a frame costs before anything was measured: a call's own time, and multiply-accumulates per second by precision.
# From paced frames of the small model, int8 and fp16, taking a quiet machine to be twice as fast as the busy one was.
CALL_S = 0.2e-3
MACS_PER_S = {"int8": 17e9}
MACS_PER_S_FLOAT = 9e9


def assumed_costs(macs_per_second: Sequence[float], hop_s: float, precision: str) -> list[float]:
    """Seconds per frame at depth 1..L before anything was measured; only their ratios matter after a few frames."""
    return [CALL_S + macs * hop_s / MACS_PER_S.get(precision, MACS_PER_S_FLOAT) for macs in macs_per_second]


class CostModel:
    """Predicts wall time, CPU time and late frames per depth.

    Parameters
    ----------
    costs : expected seconds per frame at depth 1..L on an idle machine; only their ratios matter after a few frames
    """

    def __init__(self, costs: Sequence[float]) -> None:
        self._expected, self._base = tuple(costs), list(costs)
        self._slowdown, self._deviation = 1.0, START_DEVIATION
        self._cpu_now, self._cpu_mean, self._cpu_frames = 1.0, 1.0, 0
        self._last_depth = self._frames_at_depth = 0
        self._outliers: list[float] = []
        self._enough = IN_A_ROW
        self._stalls = StallCount()

    @property
    def depths(self) -> int:
        return len(self._base)

    def wall_s(self, depth: int, margin: float) -> float:
        """Wall time of a frame, ``margin`` deviations above the mean."""
        return self._base[depth - 1] * self._slowdown * (1 + margin * self._deviation)

    def cpu_s(self, depth: int) -> float:
        """Mean CPU time of a frame: as it is now, or as it was over ten seconds, whichever is less.

        So a short load does not count against a mean, and the end of a long one counts at once.
        """
        return self._base[depth - 1] * min(self._cpu_now, self._cpu_mean)

    def late_share(self, depth: int, least: int) -> float:
        """Share of frames that are late at ``depth`` and would not be at depth ``least``.

        A frame that computes for longer is stalled more often: the share grows with the cost.
        """
        more = self._base[depth - 1] - self._base[least - 1]
        return self._stalls.late_per_cost() * more / self._base[-1]

    def learn(self, depth: int, wall_s: float, cpu_s: float, late: bool) -> bool:
        """Take the times of a frame at ``depth``; returns whether another load has just begun or ended."""
        base = self._base[depth - 1]
        self._learn_cpu(min(cpu_s, wall_s) / base)
        ratio = wall_s / base
        if ratio <= 0:  # the clock stands still, or ticks too slowly for a frame
            return False
        held_off = (wall_s - cpu_s) / base > OUTLIER * self._deviation * self._slowdown
        self._stalls.add(late, held_off, base / self._base[-1])
        if max(ratio / self._slowdown, self._slowdown / ratio) - 1 > OUTLIER * self._deviation:
            return self._learn_outlier(ratio, held_off)
        self._learn_usual(depth, ratio)
        return False

    def forget_stalls(self) -> None:
        """What stalled frames is over."""
        self._stalls = StallCount()

    def forget(self) -> None:
        """A frame went by in bypass."""
        self._slowdown += (1 - self._slowdown) * FORGET
        self._deviation += (START_DEVIATION - self._deviation) * FORGET
        self._cpu_now += (1 - self._cpu_now) * FORGET
        self._clear_outliers()

    def _learn_cpu(self, factor: float) -> None:
        self._cpu_frames += 1
        self._cpu_now += (factor - self._cpu_now) * max(GAIN_CPU_NOW, 1 / self._cpu_frames)
        self._cpu_mean += (factor - self._cpu_mean) * max(GAIN_CPU_MEAN, 1 / self._cpu_frames)

    def _learn_usual(self, depth: int, ratio: float) -> None:
        self._clear_outliers()
        error = ratio / self._slowdown - 1
        self._slowdown *= 1 + error * GAIN
        self._deviation = max(self._deviation + (abs(error) - self._deviation) * GAIN_DEVIATION, LEAST_DEVIATION)
        self._frames_at_depth = self._frames_at_depth + 1 if depth == self._last_depth else 0
        self._last_depth = depth
        # Only while the load is steady: as it rises or falls, the difference is its doing and not this depth's.
        if self._frames_at_depth < FRESH and abs(error) < OUTLIER / 2 * self._deviation:
            self._base[depth - 1] *= 1 + GAIN_BASE * (ratio / self._slowdown - 1)
        self._base = [b + (e - b) * LEAK_BASE for b, e in zip(self._base, self._expected, strict=True)]

    def _learn_outlier(self, ratio: float, held_off: bool) -> bool:
        """Enough of them on the same side are a new situation, as bad as the mildest of them."""
        if self._outliers and (self._outliers[-1] > self._slowdown) != (ratio > self._slowdown):
            self._clear_outliers()
        self._outliers.append(ratio)
        self._enough = IN_A_ROW_STALLED if held_off else self._enough
        if len(self._outliers) < self._enough:
            return False
        mildest = min(self._outliers, key=lambda seen: abs(seen - self._slowdown))
        self._clear_outliers()
        factor, self._slowdown = mildest / self._slowdown, mildest
        if max(factor, 1 / factor) > QUITE_OTHER_LOAD:
            self._stalls = StallCount()
        if factor < 1 / OTHER_LOAD:
            self._cpu_frames = 0  # the load is over: the mean CPU time under it says nothing of now
        return max(factor, 1 / factor) > OTHER_LOAD

    def _clear_outliers(self) -> None:
        self._outliers.clear()
        self._enough = IN_A_ROW


class StallCount:
    """How often frames were late, and stalled at all, per cost of what ran; forgotten when calm has returned."""

    def __init__(self) -> None:
        self._late = self._stalls = 0.0
        self._cost = 1.0
        self._calm = 0.0

    def add(self, late: bool, stalled: bool, cost: float) -> None:
        """Count a frame of ``cost`` times the deepest depth's."""
        stalled = stalled or late
        self._late += (late - self._late) * GAIN_LATE
        self._stalls += (stalled - self._stalls) * GAIN_LATE
        self._cost += (cost - self._cost) * GAIN_LATE
        self._calm = 0.0 if stalled else self._calm + cost
        if self._calm * self._stalls > CALM * self._cost:
            self._late = self._stalls = 0.0

    def late_per_cost(self) -> float:
        """Late frames per frame at the deepest depth's cost."""
        return self._late / self._cost


class WaitEstimate:
    """How long frames wait for a core before they begin."""

    def __init__(self) -> None:
        self._mean = self._deviation = 0.0
        self._waiting = False

    def add(self, wait_s: float) -> bool:
        """Count a frame; returns whether waiting has just ended."""
        self._deviation += (abs(wait_s - self._mean) - self._deviation) * GAIN_WAIT
        self._mean += (wait_s - self._mean) * GAIN_WAIT
        before, self._waiting = self._waiting, self.usual_s > (WAITED_S if self._waiting else WAITING_S)
        return before and not self._waiting

    @property
    def usual_s(self) -> float:
        """Seconds to leave for the wait of a frame that has not come yet."""
        return self._mean + WAIT_DEVIATIONS * self._deviation
