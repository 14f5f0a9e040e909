"""The depth controller: a pure policy. Times and loads come in as numbers, a depth goes out; the same in, the same out.

It goes down at once, by several levels if need be, and up one level at a time where the prediction of the
`CostModel` has fitted for a while. docs/controller.md says how it was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pse_sdk.cost_model import CostModel, WaitEstimate
from pse_sdk.profiles import Profile
from pse_sdk.thermal import NONE, relieve

# The mean CPU time is known well: going deeper needs little room below the budget.
CPU_HEADROOM = 0.02
# Late frames are rare, and their share is known badly: going deeper needs much room.
LATE_HEADROOM = 0.7
MAX_BACKOFF = 64
START = "expected to fit; the model has not run yet"
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
        self._costs = CostModel(costs)
        self.hop_s = hop_s
        self._load = Load()
        self._relief = NONE
        self._waits = WaitEstimate()
        self._fitting = 0
        self._since_up = self._since_other_load = 1 << 30
        self._backoff = 1
        # The depth of the policy. The decision differs from it only in the frame after a late one.
        self._settled = profile.max_depth or len(costs)
        self._decision = Decision(self._settled, START)
        self.set_profile(profile)
        self._settle(*self._fit(self.deepest, START))

    def set_profile(self, profile: Profile) -> None:
        """Change the wishes; what was measured stays."""
        self.profile = profile
        blocks = self._costs.depths
        self.deepest = min(profile.max_depth or blocks, blocks)
        self.shallowest = min(profile.min_depth, self.deepest)
        self._fitting, self._backoff = 0, 1
        allowed = min(max(self._settled, self.shallowest), self.deepest)
        if allowed != self._settled or not self.shallowest <= self._decision.depth <= self.deepest:
            self._settle(allowed, "the profile asks for it")

    @property
    def decision(self) -> Decision:
        return self._decision

    @property
    def deadline_s(self) -> float:
        return self.profile.deadline_share * self.hop_s

    def observe_load(self, load: Load) -> None:
        self._load = load

    def predict_s(self, depth: int) -> float:
        """Predicted wall time of a frame with the profile's margin."""
        return self._costs.wall_s(depth, self.profile.margin)

    def depth_after(self, wait_s: float) -> int:
        """The depth of the frame at hand, whose samples waited ``wait_s`` for a core: what still fits, or the least."""
        depth = self._decision.depth
        while wait_s > 0 and depth > self._least and wait_s + self.predict_s(depth) > self.deadline_s:
            depth -= 1
        return depth

    def is_late(self, wall_s: float, wait_s: float) -> bool:
        """Whether a frame that took ``wall_s``, and whose samples had waited ``wait_s``, missed its deadline."""
        return wait_s + wall_s > self.deadline_s

    def observe(self, depth: int, wall_s: float, cpu_s: float, wait_s: float = 0.0) -> Decision:
        """Take the time of the frame just computed, and decide about the next.

        Parameters
        ----------
        depth : blocks that ran, 0 for bypass
        wall_s, cpu_s : what the frame took
        wait_s : for how long its samples had been there before; it counts against the deadline
        """
        self._feel_heat()
        if self._waits.add(min(wait_s, self.deadline_s)):
            self._costs.forget_stalls()  # most came of what frames had waited for, and that is over
        # Where even the least depth had come too late, the wait was at fault: it says nothing of the depth.
        hopeless = wait_s > 0 and wait_s + self._costs.wall_s(self._least, 0.0) > self.deadline_s
        late = wall_s > self.deadline_s or (self.is_late(wall_s, wait_s) and not hopeless)
        self._since_up += 1
        self._since_other_load += 1
        if depth == 0:
            self._costs.forget()
        # A clock that was set back says nothing.
        elif wall_s >= 0 and cpu_s >= 0 and self._costs.learn(depth, wall_s, cpu_s, late):
            self._since_other_load = 0
        self._settle(*self._decide(late))
        if late and self._settled > self._least:
            # The next may be late as well. A single frame's rest costs the deeper blocks nothing: their states wait.
            self._decision = Decision(self._least, "the last frame was late")
        return self._decision

    @property
    def _least(self) -> int:
        """The least depth that is not bypass."""
        return max(1, self.shallowest)

    def _settle(self, depth: int, reason: str) -> None:
        self._settled, self._decision = depth, Decision(depth, reason)

    def _decide(self, late: bool) -> tuple[int, str]:
        now = self._settled
        if self._since_up * self.hop_s > SETTLED_DWELLS * self._dwell_s:
            self._backoff = 1
        ceiling, why = self._ceiling()
        depth, reason = self._fit(min(ceiling, max(now, self.shallowest)), why)
        if depth < now:
            self._went_down(depth)
            return depth, reason
        return self._try_deeper(now, ceiling, why, late)

    def _went_down(self, depth: int) -> None:
        # Going deeper soon failed, and no other load is to blame: wait longer before the next try, so that a steady
        # load does not oscillate. In bypass nothing is measured, so that what comes after it always looks like another.
        soon = self._since_up * self.hop_s < SETTLED_DWELLS * self._dwell_s
        if soon and (depth == 0 or self._since_up < self._since_other_load):
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

    def _feel_heat(self) -> None:
        load, most = self._load, self.deepest - self._least
        self._relief = relieve(self._relief, load.cpu, load.heat, load.clock, self.hop_s, most)

    def _ceiling(self) -> tuple[int, str]:
        low = self._load.battery is not None and self._load.battery < self.profile.low_battery
        if low and self._load.plugged is False:
            return self._least, "battery low"
        if self._relief.levels:
            return max(self._least, self.deepest - self._relief.levels), "machine hot or throttled"
        return self.deepest, "deepest that the profile allows"

    def _fit(self, depth: int, why: str) -> tuple[int, str]:
        """The largest depth up to ``depth`` that fits the budgets, and what limits it."""
        while depth > self.shallowest and (limit := self._too_much(depth)):
            depth, why = depth - 1, limit
        return depth, why

    def _too_much(self, depth: int, deeper: bool = False) -> str:
        """Why ``depth`` does not fit; empty if it does. Where it would be ``deeper`` than now, it needs more room."""
        if depth == 0:
            return ""
        room, cpu_room, late_room = 1.0, 1.0, 1.0
        if deeper:
            room, cpu_room, late_room = 1 - self.profile.headroom, 1 - CPU_HEADROOM, 1 - LATE_HEADROOM
        if self._waits.usual_s + self.predict_s(depth) > room * self.deadline_s:
            return "frame time would exceed the deadline"
        if self._costs.cpu_s(depth) > cpu_room * self.profile.cpu_share * self.hop_s:
            return "CPU share would be exceeded"
        if self._costs.late_share(depth, self._least) > late_room * self.profile.late_share:
            return "stalls would make too many frames late"
        return ""
