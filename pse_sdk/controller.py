"""The depth controller: a pure policy. Times and loads come in as numbers, a depth goes out; the same in, the same out.

It keeps one cost per depth and one slowdown factor that scales them all, with its deviation, as TCP keeps a
round-trip time (RFC 6298). What is seen at one depth so corrects the prediction for every other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pse_sdk.profiles import Profile
from pse_sdk.thermal import NONE, relieve

# Weights of a new observation in the running estimates of slowdown, its deviation, and CPU time.
GAIN = 0.05
GAIN_DEVIATION = 0.02
GAIN_CPU = 0.05
# How fast one depth's share of the total cost moves to what this machine shows.
GAIN_BASE = 0.01
# What was learned of one depth fades over about ten seconds: nothing else would correct a wrong share of a depth
# that does not run.
LEAK_BASE = 0.001
# A frame this many deviations above the estimate is an outlier. One on its own is most often the operating
# system's doing and says nothing of the next frame; a second in a row is a new situation and counts at once.
OUTLIER = 4.0
GAIN_NEW_SITUATION = 0.5
LEAST_DEVIATION = 0.05
# Lone outliers that keep missing the deadline do count: their share of the frames, averaged over about a second.
GAIN_LATE = 0.01
MANY_LATE = 0.04
FEW_LATE = 0.01
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
    heat : temperature of the processor over its critical one, in degrees Celsius
    clock : mean clock of all cores over its maximum, 0..1
    """

    cpu: float | None = None
    battery: float | None = None
    plugged: bool | None = None
    heat: float | None = None
    clock: float | None = None


@dataclass(frozen=True)
class Decision:
    """A depth and the reason for it, as a sentence fragment for people."""

    depth: int
    reason: str


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
        self._slowdown, self._deviation, self._cpu_factor = 1.0, START_DEVIATION, 1.0
        self._after_outlier = False
        self._late_share = 0.0
        self._load = Load()
        self._relief = NONE
        self._fitting = 0
        self._since_up = 1 << 30
        self._backoff = 1
        self.misses = 0
        self._decision = Decision(profile.max_depth or len(self._base), "start")
        self.set_profile(profile)
        self._decision = Decision(*self._fit(self.deepest, "start"))

    def set_profile(self, profile: Profile) -> None:
        """Change the wishes; what was measured stays."""
        self.profile = profile
        blocks = len(self._base)
        self.deepest = min(profile.max_depth or blocks, blocks)
        self.shallowest = min(profile.min_depth, self.deepest)
        self._fitting, self._backoff = 0, 1
        allowed = min(max(self._decision.depth, self.shallowest), self.deepest)
        if allowed != self._decision.depth:
            self._decision = Decision(allowed, "the profile asks for it")

    @property
    def decision(self) -> Decision:
        return self._decision

    def observe_load(self, load: Load) -> None:
        self._load = load

    def predict_s(self, depth: int) -> float:
        """Predicted wall time of a frame with the profile's margin."""
        return self._base[depth - 1] * (self._slowdown + self.profile.margin * self._deviation)

    def predict_cpu_s(self, depth: int) -> float:
        """Predicted mean CPU time of a frame."""
        return self._base[depth - 1] * self._cpu_factor

    def observe(self, depth: int, wall_s: float, cpu_s: float) -> Decision:
        """Take the time of the frame just computed at ``depth`` (0: bypass) and decide about the next."""
        self._feel_heat()
        late = wall_s > self.deadline_s
        self.misses += late
        self._late_share += (late - self._late_share) * GAIN_LATE
        if depth == 0:
            self._forget()
        elif wall_s >= 0 and cpu_s >= 0:  # a clock that was set back says nothing
            self._learn(depth, wall_s, cpu_s)
        self._decision = self._decide()
        return self._decision

    @property
    def deadline_s(self) -> float:
        return self.profile.deadline_share * self.hop_s

    def _learn(self, depth: int, wall_s: float, cpu_s: float) -> None:
        base = self._base[depth - 1]
        self._cpu_factor += (min(cpu_s, wall_s) / base - self._cpu_factor) * GAIN_CPU
        ratio = wall_s / base
        error = ratio - self._slowdown
        outlier = error > OUTLIER * self._deviation
        alone, self._after_outlier = outlier and not self._after_outlier, outlier
        if alone:
            return
        self._slowdown += error * (GAIN_NEW_SITUATION if outlier else GAIN)
        spread = (abs(error) - self._deviation) * (GAIN if outlier else GAIN_DEVIATION)
        self._deviation = max(self._deviation + spread, LEAST_DEVIATION * self._slowdown)
        # Only while the load is steady: as it rises or falls, the difference is its doing and not this depth's.
        if abs(error) < OUTLIER / 2 * self._deviation:
            self._base[depth - 1] = base * (1 + GAIN_BASE * (ratio / self._slowdown - 1))
        self._base = [b + (e - b) * LEAK_BASE for b, e in zip(self._base, self._expected, strict=True)]

    def _forget(self) -> None:
        self._slowdown += (1 - self._slowdown) * FORGET
        self._deviation += (START_DEVIATION - self._deviation) * FORGET
        self._cpu_factor += (1 - self._cpu_factor) * FORGET

    def _decide(self) -> Decision:
        now = self._decision.depth
        self._since_up += 1
        if self._since_up * self.hop_s > SETTLED_DWELLS * self._dwell_s:
            self._backoff = 1
        ceiling, why = self._ceiling()
        depth, reason = self._fit(min(ceiling, max(now, self.shallowest)), why)
        if self._late_share > MANY_LATE and depth == now > self.shallowest:
            depth, reason = now - 1, "too many frames were late"
            self._late_share /= 2  # see what the step brought before the next
        if depth < now:
            self._went_down()
            return Decision(depth, reason)
        return self._try_deeper(now, ceiling, why)

    def _went_down(self) -> None:
        # Going deeper soon failed: wait longer before the next try, so that a steady load does not oscillate.
        if self._since_up * self.hop_s < SETTLED_DWELLS * self._dwell_s:
            self._backoff = min(2 * self._backoff, MAX_BACKOFF)
        self._fitting = 0

    def _try_deeper(self, now: int, ceiling: int, why: str) -> Decision:
        if now >= ceiling:
            self._fitting = 0
            return Decision(now, why)
        deeper = now + 1
        hindrance = self._hindrance(deeper)
        if hindrance:
            self._fitting = 0
            return Decision(now, hindrance)
        self._fitting += 1
        if self._fitting * self.hop_s < self._dwell_s:
            return Decision(now, f"depth {deeper} fits, waiting to be sure")
        self._fitting = self._since_up = 0
        return Decision(deeper, "went deeper: it fits")

    def _hindrance(self, deeper: int) -> str:
        """Why not to go deeper now; empty if nothing speaks against it."""
        if self._load.cpu is not None and self._load.cpu >= self.profile.busy_load:
            return "system busy"
        if self._late_share > FEW_LATE:
            return "frames were late"
        if self._too_much(deeper, 1 - self.profile.headroom):
            return f"depth {deeper} would not fit"
        return ""

    @property
    def _dwell_s(self) -> float:
        return self.profile.dwell_s * self._backoff

    def _feel_heat(self) -> None:
        load, most = self._load, self.deepest - max(1, self.shallowest)
        self._relief = relieve(self._relief, load.cpu, load.heat, load.clock, self.hop_s, most)

    def _ceiling(self) -> tuple[int, str]:
        low = self._load.battery is not None and self._load.battery < self.profile.low_battery
        if low and self._load.plugged is False:
            return max(1, self.shallowest), "battery low"
        if self._relief.levels:
            return max(1, self.shallowest, self.deepest - self._relief.levels), "machine hot or throttled"
        return self.deepest, "deepest that the profile allows"

    def _fit(self, depth: int, why: str) -> tuple[int, str]:
        """The largest depth up to ``depth`` that fits both budgets, and what limits it."""
        while depth > self.shallowest and (limit := self._too_much(depth, 1.0)):
            depth, why = depth - 1, limit
        return depth, why

    def _too_much(self, depth: int, part: float) -> str:
        if depth == 0:
            return ""
        if self.predict_s(depth) > part * self.deadline_s:
            return "frame time would exceed the deadline"
        if self.predict_cpu_s(depth) > part * self.profile.cpu_share * self.hop_s:
            return "CPU share would be exceeded"
        return ""
