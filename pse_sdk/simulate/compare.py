"""The controller on a trace beside the oracles and every fixed depth, and what it is held to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pse_sdk.profiles import Profile
from pse_sdk.simulate.replay import Replay, depth_range, oracle, replay, replay_fixed
from pse_sdk.simulate.scores import Scores, score
from pse_sdk.simulate.trace import LoadTrace

CONTROLLER, ORACLE, STEADY_ORACLE = "controller", "oracle", "steady oracle"
# The steady oracle's depth meets the deadlines of a whole second.
STEADY_S = 1.0


@dataclass(frozen=True)
class Target:
    """A bound on one of the `Scores`; steady: asked only where the load is."""

    figure: str
    bound: float
    met: Callable[[float, float], bool]
    steady: bool = False


TARGETS = (
    Target("avoidable", 0.001, lambda value, bound: value <= bound),
    Target("longest_avoidable", 1, lambda value, bound: value <= bound),
    Target("of_oracle", 0.9, lambda value, bound: value >= bound),
    Target("changes_per_minute", 6, lambda value, bound: value <= bound, steady=True),
    Target("reaction_frames", 2, lambda value, bound: value <= bound),
    Target("recovery_s", 2, lambda value, bound: value <= bound),
)
# Synthetic traces whose load is steady for half a minute or more.
STEADY = ("idle", "busy", "hog")


def compare(trace: LoadTrace, profile: Profile) -> dict[str, tuple[Replay, Scores]]:
    """Replay and scores of the controller, both oracles, and every fixed depth that ``profile`` allows."""
    shallowest, deepest = depth_range(trace, profile)
    best = oracle(trace, profile)
    runs = {CONTROLLER: replay(trace, profile), ORACLE: best, STEADY_ORACLE: oracle(trace, profile, STEADY_S)}
    for depth in range(max(1, shallowest), deepest + 1):
        runs[f"fixed {depth}"] = replay_fixed(trace, profile, depth)
    return {name: (run, score(run, best, trace, profile)) for name, run in runs.items()}


def missed_targets(scores: Scores, trace_name: str) -> list[str]:
    """Names of the figures that are beyond their bound in the trace called ``trace_name``."""
    missed = []
    for target in TARGETS:
        value = getattr(scores, target.figure)
        asked = value is not None and (not target.steady or trace_name in STEADY)
        if asked and not target.met(value, target.bound):
            missed.append(target.figure)
    return missed
