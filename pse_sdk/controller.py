"""The depth controller: a pure policy. Times and loads come in as numbers, a depth goes out; the same in, the same out.

It keeps one cost per depth and one slowdown factor that scales them all, with its deviation, as TCP keeps a
round-trip time (RFC 6298). What is seen at one depth so corrects the prediction for every other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pse_sdk.profiles import Profile

# Weights of a new observation in the running estimates of slowdown and of its relative deviation.
GAIN = 0.05
GAIN_DEVIATION = 0.02
# CPU time is averaged over a fifth of a second and over ten seconds.
GAIN_CPU_NOW = 0.05
GAIN_CPU_MEAN = 0.001
# How fast one depth's share of the total cost moves to what this machine shows.
GAIN_BASE = 0.01
# What was learned of one depth fades over about ten seconds: nothing else would correct a wrong share of a depth
# that does not run.
LEAK_BASE = 0.001
# A frame this many deviations off the estimate is an outlier. One on its own is most often the operating system's
# doing and says nothing of the next frame; a second in a row is a new situation and counts at once. Where the thread was
# held off its core, it takes a third: a neighbour's time slices fall where they may.
OUTLIER = 4.0
IN_A_ROW, IN_A_ROW_STALLED = 2, 3
LEAST_DEVIATION = 0.05
# A slowdown that changes at once by the first factor is another load, and nobody's mistake. By the second, it is
# another load so surely that the stalls counted under the old one are void.
OTHER_LOAD, QUITE_OTHER_LOAD = 1.6, 2.0
# Late frames, and stalls that may make one late, are counted over about ten seconds.
GAIN_LATE = 0.001
# Going deeper asks for this part of the late frames that the profile tolerates.
LATE_HEADROOM = 0.5
# The count starts anew after a calm that would be a chance of exp(-5) if stalls came on as they did.
CALM = 5.0
# The mean CPU time is known well: going deeper needs little room below the budget.
CPU_HEADROOM = 0.02
# What a frame costs before anything was measured: a call's own time, and multiply-accumulates per second by precision.
# From paced frames of the small model, int8 and fp16, taking a quiet machine to be twice as fast as the busy one was.
CALL_S = 0.2e-3
MACS_PER_S = {"int8": 17e9}
MACS_PER_S_FLOAT = 9e9
# Bypass brings no measurements; the slowdown is forgotten at this rate per frame, so that depth 1 is tried again.
FORGET = 0.005
START_DEVIATION = 0.25
MAX_BACKOFF = 64
# A deeper network that lasted this many dwells was no mistake.
SETTLED_DWELLS = 4


@dataclass(frozen=True)
class Load:
    """What the system says beside the frame times. None where it does not say.

    Parameters
    ----------
    cpu : 0..1 over all cores
    battery : charge, 0..1
    plugged : whether mains is connected
    """

    cpu: float | None = None
    battery: float | None = None
    plugged: bool | None = None


@dataclass(frozen=True)
class Decision:
    """A depth and the reason for it, as a sentence fragment for people."""

    depth: int
    reason: str


def expected_costs(macs_per_second: Sequence[float], hop_s: float, precision: str) -> list[float]:
    """Seconds per frame at depth 1..L before anything was measured; only their ratios matter after a few frames."""
    return [CALL_S + macs * hop_s / MACS_PER_S.get(precision, MACS_PER_S_FLOAT) for macs in macs_per_second]


class DepthController:
    """Chooses how many blocks run on the next frame.

    Parameters
    ----------
    profile : the app's wishes
    costs : expected seconds per frame at depth 1..L on an idle machine; only their ratios matter after a few frames
    hop_s : seconds between frames
    """

    def __init__(self, profile: Profile, costs: Sequence[float], hop_s: float) -> None:
        self._expected, self._base = tuple(costs), list(costs)
        self.hop_s = hop_s
        self._slowdown, self._deviation = 1.0, START_DEVIATION
        self._cpu_now, self._cpu_mean = 1.0, 1.0
        self._learned = 0
        self._outliers: list[float] = []
        self._enough = IN_A_ROW
        self._stalls = StallCount()
        self._load = Load()
        self._fitting = 0
        self._since_up = self._since_change = 1 << 30
        self._backoff = 1
        self.misses = 0
        self._settled = profile.max_depth or len(self._base)
        self._decision = Decision(self._settled, "start")
        self.set_profile(profile)
        self._settle(*self._fit(self.deepest, "start"))

    def set_profile(self, profile: Profile) -> None:
        """Change the wishes; what was measured stays."""
        self.profile = profile
        blocks = len(self._base)
        self.deepest = min(profile.max_depth or blocks, blocks)
        self.shallowest = min(profile.min_depth, self.deepest)
        self._fitting, self._backoff = 0, 1
        allowed = min(max(self._settled, self.shallowest), self.deepest)
        if allowed != self._settled or not self.shallowest <= self._decision.depth <= self.deepest:
            self._settle(allowed, "the profile asks for it")

    @property
    def decision(self) -> Decision:
        return self._decision

    def observe_load(self, load: Load) -> None:
        self._load = load

    def predict_s(self, depth: int) -> float:
        """Predicted wall time of a frame with the profile's margin."""
        return self._base[depth - 1] * self._slowdown * (1 + self.profile.margin * self._deviation)

    def predict_cpu_s(self, depth: int) -> float:
        """Predicted mean CPU time of a frame: as it is now, or as it was over ten seconds, whichever is less.

        So a short load does not count against a mean, and the end of a long one counts at once.
        """
        return self._base[depth - 1] * min(self._cpu_now, self._cpu_mean)

    def predict_late(self, depth: int) -> float:
        """Predicted share of frames that are late at ``depth`` and would not be at the least depth.

        A frame that computes for longer is stalled more often: the share grows with the cost.
        """
        more = self._base[depth - 1] - self._base[max(self.shallowest, 1) - 1]
        return self._stalls.late_per_cost() * more / self._base[-1]

    def observe(self, depth: int, wall_s: float, cpu_s: float) -> Decision:
        """Take the time of the frame just computed at ``depth`` (0: bypass) and decide about the next."""
        late = wall_s > self.deadline_s
        self.misses += late
        if depth == 0:
            self._forget()
        elif wall_s >= 0 and cpu_s >= 0:  # a clock that was set back says nothing
            self._learn(depth, wall_s, cpu_s, late)
        self._settle(*self._decide(late))
        careful = max(1, self.shallowest)
        if late and self._settled > careful:
            # The next may be late as well. A single frame's rest costs the deeper blocks nothing: their states wait.
            self._decision = Decision(careful, "the last frame was late")
        return self._decision

    @property
    def deadline_s(self) -> float:
        return self.profile.deadline_share * self.hop_s

    def _settle(self, depth: int, reason: str) -> None:
        self._settled, self._decision = depth, Decision(depth, reason)

    def _learn(self, depth: int, wall_s: float, cpu_s: float, late: bool) -> None:
        base = self._base[depth - 1]
        self._learn_cpu(min(cpu_s, wall_s) / base)
        ratio = wall_s / base
        if ratio <= 0:  # the clock stands still, or ticks too slowly for a frame
            return
        unlike = max(ratio / self._slowdown, self._slowdown / ratio) - 1
        held_off = (wall_s - cpu_s) / base > OUTLIER * self._deviation * self._slowdown
        self._stalls.add(late, held_off, base / self._base[-1])
        if unlike > OUTLIER * self._deviation:
            self._learn_outlier(ratio, held_off)
            return
        self._outliers.clear()
        self._enough = IN_A_ROW
        error = ratio / self._slowdown - 1
        self._slowdown *= 1 + error * GAIN
        self._learn_deviation(abs(error), GAIN_DEVIATION)
        # Only while the load is steady: as it rises or falls, the difference is its doing and not this depth's.
        if abs(error) < OUTLIER / 2 * self._deviation:
            self._base[depth - 1] = base * (1 + GAIN_BASE * (ratio / self._slowdown - 1))
        self._base = [b + (e - b) * LEAK_BASE for b, e in zip(self._base, self._expected, strict=True)]

    def _learn_outlier(self, ratio: float, held_off: bool) -> None:
        """Enough of them on the same side are a new situation, as bad as the mildest of them."""
        if self._outliers and (self._outliers[-1] > self._slowdown) != (ratio > self._slowdown):
            self._outliers.clear()
            self._enough = IN_A_ROW
        self._outliers.append(ratio)
        self._enough = IN_A_ROW_STALLED if held_off else self._enough
        if len(self._outliers) >= self._enough:
            mildest = min(self._outliers, key=lambda seen: abs(seen - self._slowdown))
            self._new_situation(mildest)
            self._outliers.clear()

    def _new_situation(self, slowdown: float) -> None:
        factor, self._slowdown = slowdown / self._slowdown, slowdown
        if max(factor, 1 / factor) > OTHER_LOAD:
            self._since_change = 0
        if max(factor, 1 / factor) > QUITE_OTHER_LOAD:
            self._stalls = StallCount()
        if factor < 1 / OTHER_LOAD:
            self._learned = 0  # the load is over: the mean CPU time under it says nothing of now

    def _learn_deviation(self, error: float, gain: float) -> None:
        self._deviation = max(self._deviation + (error - self._deviation) * gain, LEAST_DEVIATION)

    def _learn_cpu(self, factor: float) -> None:
        self._learned += 1
        self._cpu_now += (factor - self._cpu_now) * max(GAIN_CPU_NOW, 1 / self._learned)
        self._cpu_mean += (factor - self._cpu_mean) * max(GAIN_CPU_MEAN, 1 / self._learned)

    def _forget(self) -> None:
        self._slowdown += (1 - self._slowdown) * FORGET
        self._deviation += (START_DEVIATION - self._deviation) * FORGET
        self._cpu_now += (1 - self._cpu_now) * FORGET
        self._outliers.clear()

    def _decide(self, late: bool) -> tuple[int, str]:
        now = self._settled
        self._since_up += 1
        self._since_change += 1
        if self._since_up * self.hop_s > SETTLED_DWELLS * self._dwell_s:
            self._backoff = 1
        ceiling, why = self._ceiling()
        depth, reason = self._fit(min(ceiling, max(now, self.shallowest)), why)
        if depth < now:
            self._went_down()
            return depth, reason
        return self._try_deeper(now, ceiling, why, late)

    def _went_down(self) -> None:
        # Going deeper soon failed, and no new load is to blame: wait longer before the next try, so that a steady
        # load does not oscillate.
        soon = self._since_up * self.hop_s < SETTLED_DWELLS * self._dwell_s
        if soon and self._since_up < self._since_change:
            self._backoff = min(2 * self._backoff, MAX_BACKOFF)
        self._fitting = 0

    def _try_deeper(self, now: int, ceiling: int, why: str, late: bool) -> tuple[int, str]:
        if now >= ceiling:
            self._fitting = 0
            return now, why
        deeper = now + 1
        hindrance = "the last frame was late" if late else self._too_much(deeper, deeper=True)
        if hindrance:
            self._fitting = 0
            return now, f"depth {deeper}: {hindrance}"
        self._fitting += 1
        if self._load.cpu is not None and self._load.cpu > self.profile.busy_load:
            return now, "system busy"
        if self._fitting * self.hop_s < self._dwell_s:
            return now, f"depth {deeper} fits, waiting to be sure"
        self._fitting = self._since_up = 0
        return deeper, "went deeper: it fits"

    @property
    def _dwell_s(self) -> float:
        return self.profile.dwell_s * self._backoff

    def _ceiling(self) -> tuple[int, str]:
        low = self._load.battery is not None and self._load.battery < self.profile.low_battery
        if low and self._load.plugged is False:
            return max(1, self.shallowest), "battery low"
        return self.deepest, "deepest that the profile allows"

    def _fit(self, depth: int, why: str) -> tuple[int, str]:
        """The largest depth up to ``depth`` that fits the budgets, and what limits it."""
        while depth > self.shallowest and (limit := self._too_much(depth)):
            depth, why = depth - 1, limit
        return depth, why

    def _too_much(self, depth: int, deeper: bool = False) -> str:
        """Why ``depth`` does not fit; empty if it does. More room is asked for where it would be ``deeper`` than now."""
        if depth == 0:
            return ""
        room, cpu_room, late_room = 1.0, 1.0, 1.0
        if deeper:
            room, cpu_room, late_room = 1 - self.profile.headroom, 1 - CPU_HEADROOM, 1 - LATE_HEADROOM
        if self.predict_s(depth) > room * self.deadline_s:
            return "frame time would exceed the deadline"
        if self.predict_cpu_s(depth) > cpu_room * self.profile.cpu_share * self.hop_s:
            return "CPU share would be exceeded"
        if self.predict_late(depth) > late_room * self.profile.late_share:
            return "stalls would make too many frames late"
        return ""


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
