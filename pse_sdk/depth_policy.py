"""How deep the next frame of a stream runs, and why: what the app asked for, faults, the power supply, the controller.

Pure, as its parts are: readings, times and faults come in as arguments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pse_sdk.controller import DepthController, Load
from pse_sdk.errors import UsageError
from pse_sdk.guard import Guard
from pse_sdk.pipeline import Frame
from pse_sdk.power import AUTO, PowerState, Supply, first_state, follow, profile_for
from pse_sdk.profiles import Profile, load_profile
from pse_sdk.runtimes.description import ModelDescription
from pse_sdk.silence import Rest


class DepthPolicy:
    """The profile, the depth that the app pinned, the controller and the guard of one `Enhancer`.

    Parameters
    ----------
    profile : as for the `Enhancer`
    description : of the model
    costs : expected seconds per frame at depth 1..L
    load : what the system says now; with profile "auto" the first profile follows from it

    Raises
    ------
    ProfileError, UsageError
        For a profile that does not exist, or asks for depths that the model does not have.
    """

    def __init__(
        self, profile: str | Path | Profile, description: ModelDescription, costs: Sequence[float], load: Load
    ) -> None:
        self._description = description
        self._power: PowerState | None = None
        self.profile = self._chosen(profile, load)
        self.controller = DepthController(self.profile, costs, description.hop_seconds)
        self.guard = Guard()
        self._pinned: int | None = None

    @property
    def pinned_depth(self) -> int | None:
        """The depth that the app chose, which the controller cannot take back; None if it chose none."""
        return self._pinned

    @property
    def depth(self) -> int:
        """What the next frame aims at; 0 is bypass."""
        return self.controller.decision.depth if self._pinned is None else self._pinned

    def depth_after(self, wait_s: float) -> int:
        """Of the frame at hand, whose samples waited ``wait_s`` for a core."""
        return self.controller.depth_after(wait_s) if self._pinned is None else self._pinned

    @property
    def offline_depth(self) -> int:
        """Where there is no deadline: the deepest that the profile allows, or the pinned one."""
        return self.controller.deepest if self._pinned is None else self._pinned

    @property
    def rest(self) -> Rest:
        """What pauses may be used for: nothing but digital silence where the app pinned the depth."""
        after_s = self.profile.rest_after_s if self._pinned is None else 0.0
        return Rest(after_s or math.inf, max(1, self.controller.shallowest))

    def pin(self, depth: int | None) -> None:
        """Keep ``depth``, or give it back to the controller with None."""
        if depth is not None and (isinstance(depth, bool) or not isinstance(depth, (int, np.integer))):
            raise UsageError(f"depth {depth!r}: must be a whole number or None")
        blocks = self._description.blocks
        if depth is not None and not 0 <= depth <= blocks:
            raise UsageError(f"depth {depth}: this model has depths 1 to {blocks}, and 0 for bypass")
        self._pinned = None if depth is None else int(depth)

    def set_profile(self, profile: str | Path | Profile, load: Load) -> None:
        self.profile = self._chosen(profile, load)
        self.controller.set_profile(self.profile)

    def observe(self, frame: Frame, wall_s: float, cpu_s: float, wait_s: float, load: Load) -> bool:
        """Take what a frame took, and waited before; returns whether it was late."""
        self._follow_power(load)
        self.controller.observe_load(load)
        if frame.ran or not frame.resting:  # a frame without the model says nothing of the model's cost
            self.controller.observe(frame.ran, wall_s, cpu_s, wait_s)
        return self.controller.is_late(wall_s, wait_s)

    def depth_and_reason(self, resting: bool) -> tuple[int, str]:
        """Of the next frame, for people; ``resting``: nobody speaks."""
        if self.guard.reason:
            return 0, self.guard.reason
        if self._pinned is not None:
            return self._pinned, "pinned by set_depth"
        decision = self.controller.decision
        if resting:
            return min(decision.depth, max(1, self.controller.shallowest)), "nobody speaks"
        return decision.depth, decision.reason

    def _chosen(self, profile: str | Path | Profile, load: Load) -> Profile:
        """The profile that was asked for, checked; with "auto" the one that the power supply asks for."""
        blocks = self._description.blocks
        if profile == AUTO:
            self._power = first_state(load)
            for supply in Supply:  # read now what is changed to later
                profile_for(supply, blocks)
            return profile_for(self._power.supply, blocks)
        loaded = load_profile(profile)
        # More than there is at most is no demand.
        if loaded.min_depth > blocks:
            raise UsageError(f"profile {loaded.name}: depth {loaded.min_depth}, but model "
                             f"{self._description.name!r} has depths 1 to {blocks}")  # fmt: skip
        self._power = None
        return loaded

    def _follow_power(self, load: Load) -> None:
        """With profile "auto": change to what the power supply asks for, as soon as that is another profile."""
        if self._power is None:
            return
        before = self._power
        self._power = follow(before, load, self._description.hop_seconds)
        if self._power.supply is not before.supply:
            self.profile = profile_for(self._power.supply, self._description.blocks)
            self.controller.set_profile(self.profile)
