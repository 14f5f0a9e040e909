"""What happens on a trace: with the controller, at a fixed depth, and under an oracle that knows the future."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pse_sdk.controller import DepthController, Load
from pse_sdk.depth_change import DepthChange
from pse_sdk.profiles import Profile
from pse_sdk.simulate.trace import Bools, Float64, LoadTrace

Depths = npt.NDArray[np.int64]

# The oracle spreads the CPU share over this long, centred on the frame at hand.
SHARE_OVER_S = 1.0


@dataclass(frozen=True)
class Replay:
    """One way through a trace.

    Parameters
    ----------
    ran : [frames], blocks that ran (0: bypass)
    heard : [frames], whose head was heard: blocks that wake up run unheard at first
    wall_s, cpu_s : [frames], what each frame took
    late : [frames], over the profile's deadline
    """

    ran: Depths
    heard: Depths
    wall_s: Float64
    cpu_s: Float64
    late: Bools


def replay(trace: LoadTrace, profile: Profile) -> Replay:
    """Let the `DepthController` run over ``trace``, as the `Enhancer` lets it."""
    wall, cpu = trace.times()
    controller = DepthController(profile, trace.expected_s.tolist(), trace.hop_s)
    change = DepthChange()
    ran, heard = np.zeros((2, trace.frames), np.int64)
    said = None
    for n, load in enumerate(trace.cpu_load.tolist()):
        ran[n], heard[n] = change.next(controller.decision.depth)
        if load != said:
            controller.observe_load(Load(None if np.isnan(load) else load))
            said = load
        controller.observe(int(ran[n]), float(wall[n, ran[n]]), float(cpu[n, ran[n]]))
    return _outcome(trace, profile, ran, heard)


def replay_fixed(trace: LoadTrace, profile: Profile, depth: int) -> Replay:
    """The same depth at every frame; deadline and CPU share are the profile's."""
    depths = np.full(trace.frames, depth, np.int64)
    return _outcome(trace, profile, depths, depths)


def oracle(trace: LoadTrace, profile: Profile) -> Replay:
    """At each frame the deepest depth that meets its deadline and the CPU share; the shallowest where none does.

    It knows the stall that no controller can foresee, and changes without warm-up. The CPU share holds for the
    mean over `SHARE_OVER_S` around the frame, at the depth in question.
    """
    wall, _ = trace.times()
    shallowest, deepest = depth_range(trace, profile)
    around = max(1, round(SHARE_OVER_S / trace.hop_s))
    window = np.ones(min(around, trace.frames))
    mean_slowdown = np.convolve(trace.slowdown, window, "same") / np.convolve(np.ones(trace.frames), window, "same")
    costs = np.concatenate([[0.0], trace.costs_s])
    fits = wall <= profile.deadline_share * trace.hop_s
    fits &= np.outer(mean_slowdown, costs) <= profile.cpu_share * trace.hop_s
    candidates = np.arange(trace.depths + 1)
    allowed = fits & (candidates >= shallowest) & (candidates <= deepest)
    depths = np.where(allowed, candidates, shallowest).max(axis=1)
    return _outcome(trace, profile, depths, depths)


def depth_range(trace: LoadTrace, profile: Profile) -> tuple[int, int]:
    """(shallowest, deepest) that ``profile`` allows on the model that ``trace`` is of."""
    deepest = min(profile.max_depth or trace.depths, trace.depths)
    return min(profile.min_depth, deepest), deepest


def _outcome(trace: LoadTrace, profile: Profile, ran: Depths, heard: Depths) -> Replay:
    wall, cpu = (np.take_along_axis(times, ran[:, None], axis=1)[:, 0] for times in trace.times())
    return Replay(ran, heard, wall, cpu, wall > profile.deadline_share * trace.hop_s)
