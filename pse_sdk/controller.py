"""The depth controller: a pure policy. Times and loads come in as numbers, a depth goes out; the same in, the same out.

It keeps one cost per depth and one slowdown factor that scales them all, with its deviation, as TCP keeps a
round-trip time (RFC 6298). What is seen at one depth so corrects the prediction for every other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pse_sdk.profiles import Profile

# Weights of a new observation in the running estimates. A slower frame counts at once, a faster one gradually:
# being wrong in the first case is heard, in the second it only wastes.
GAIN_SLOWER = 0.4
GAIN_FASTER = 0.03
GAIN_DEVIATION = 0.1
GAIN_CPU = 0.05
GAIN_BASE = 0.01
# A frame on its own that is slower than any before is most often a one-off of the operating system: it counts as
# at most this many times the running estimate. If the next is slow too, it counts in full.
LONE_OUTLIER = 2.0
# Bypass brings no measurements; the slowdown is forgotten at this rate per frame, so that depth 1 is tried again.
FORGET = 0.005
MAX_BACKOFF = 16


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


class DepthController:
    """Chooses how many blocks run on the next frame.

    Parameters
    ----------
    profile : the app's wishes
    costs : expected seconds per frame at depth 1..L on an idle machine; only their ratios matter after a few frames
    hop_s : seconds between frames
    """

    def __init__(self, profile: Profile, costs: Sequence[float], hop_s: float) -> None:
        self._base = list(costs)
        self.hop_s = hop_s
        self._slowdown, self._deviation, self._cpu_factor = 1.0, 0.25, 1.0
        self._last_ratio = 1.0
        self._load = Load()
        self._fitting = 0
        self._since_up = 1 << 30
        self._backoff = 1
        self.misses = 0
        self.set_profile(profile)
        self._decision = Decision(*self._fit(self.deepest, "start"))

    def set_profile(self, profile: Profile) -> None:
        """Change the wishes; what was measured stays."""
        self.profile = profile
        blocks = len(self._base)
        self.deepest = min(profile.max_depth or blocks, blocks)
        self.shallowest = min(profile.min_depth, self.deepest)
        self._fitting, self._backoff = 0, 1

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
        late = wall_s > self.deadline_s
        self.misses += late
        if depth == 0:
            self._forget()
        elif wall_s >= 0 and cpu_s >= 0:  # a clock that was set back says nothing
            self._learn(depth, wall_s, cpu_s)
        self._decision = self._decide(late)
        return self._decision

    @property
    def deadline_s(self) -> float:
        return self.profile.deadline_share * self.hop_s

    def _learn(self, depth: int, wall_s: float, cpu_s: float) -> None:
        base = self._base[depth - 1]
        ratio = wall_s / base
        seen = min(ratio, LONE_OUTLIER * self._slowdown) if self._last_ratio < LONE_OUTLIER * self._slowdown else ratio
        self._last_ratio = ratio
        error = seen - self._slowdown
        self._slowdown += error * (GAIN_SLOWER if error > self._deviation else GAIN_FASTER)
        self._deviation += (
            (abs(error) - self._deviation) * GAIN_DEVIATION * (1 if abs(error) > self._deviation else 0.3)
        )
        self._cpu_factor += (cpu_s / base - self._cpu_factor) * GAIN_CPU
        # Slowly move this depth's share of the total to what this machine shows.
        self._base[depth - 1] = base * (1 + GAIN_BASE * (min(seen / self._slowdown, 2.0) - 1))

    def _forget(self) -> None:
        self._slowdown += (1 - self._slowdown) * FORGET
        self._deviation += (0.25 - self._deviation) * FORGET

    def _decide(self, late: bool) -> Decision:
        now = self._decision.depth
        self._since_up += 1
        ceiling, why = self._ceiling()
        fitting, reason = self._fit(min(ceiling, max(now, self.shallowest)), why)
        if fitting < now:
            self._went_down()
            return Decision(fitting, "deadline missed" if late and fitting < ceiling else reason)
        return self._try_deeper(now, ceiling, why)

    def _went_down(self) -> None:
        # Going deeper soon failed: wait longer before the next try, so that a steady load does not oscillate.
        if self._since_up * self.hop_s < 4 * self._dwell_s:
            self._backoff = min(2 * self._backoff, MAX_BACKOFF)
        self._fitting = 0

    def _try_deeper(self, now: int, ceiling: int, why: str) -> Decision:
        if now >= ceiling:
            self._fitting = 0
            return Decision(now, why)
        deeper = now + 1
        busy = self._load.cpu is not None and self._load.cpu >= self.profile.busy_load
        if busy or self._too_much(deeper, 1 - self.profile.headroom):
            self._fitting = 0
            return Decision(now, "system busy" if busy else f"depth {deeper} would not fit")
        self._fitting += 1
        if self._fitting * self.hop_s < self._dwell_s:
            return Decision(now, f"depth {deeper} fits, waiting to be sure")
        self._fitting = 0
        if self._since_up * self.hop_s > 8 * self._dwell_s:
            self._backoff = 1
        self._since_up = 0
        return Decision(deeper, "went deeper: it fits")

    @property
    def _dwell_s(self) -> float:
        return self.profile.dwell_s * self._backoff

    def _ceiling(self) -> tuple[int, str]:
        low = self._load.battery is not None and self._load.battery < self.profile.low_battery
        if low and self._load.plugged is False:
            return max(1, self.shallowest), "battery low"
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
