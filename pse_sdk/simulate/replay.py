"""What happens on a trace: with the controller, at a fixed depth, and under an oracle that knows the future."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pse_sdk.controller import DepthController, Load
from pse_sdk.depth_change import DepthChange
from pse_sdk.pace import Pace
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
    cpu_s : [frames], what each frame took
    late : [frames], over the profile's deadline, counted from when the samples were there
    avoidable : [frames], late, where the profile's least depth would not have been
    """

    ran: Depths
    heard: Depths
    cpu_s: Float64
    late: Bools
    avoidable: Bools


def replay(trace: LoadTrace, profile: Profile) -> Replay:
    """Let the `DepthController` run over ``trace``, as the `Enhancer` lets it."""
    wall, cpu = trace.times()
    controller = DepthController(profile, trace.expected_s.tolist(), trace.hop_s)
    change, pace = DepthChange(), Pace()
    ran, heard = np.zeros((2, trace.frames), np.int64)
    said = None
    for n, load in enumerate(trace.cpu_load.tolist()):
        begun = n * trace.hop_s + float(trace.wait_s[n])
        wait = pace.enter(begun, trace.hop_s).late_s or 0.0
        ran[n], heard[n] = change.next(controller.depth_after(wait))
        if load != said:
            controller.observe_load(Load(None if np.isnan(load) else load))
            said = load
        controller.observe(int(ran[n]), float(wall[n, ran[n]]), float(cpu[n, ran[n]]), wait)
        pace.leave(begun + float(wall[n, ran[n]]))
    return _outcome(trace, profile, ran, heard)


def replay_fixed(trace: LoadTrace, profile: Profile, depth: int) -> Replay:
    """The same depth at every frame; deadline and CPU share are the profile's."""
    depths = np.full(trace.frames, depth, np.int64)
    return _outcome(trace, profile, depths, depths)


def oracle(trace: LoadTrace, profile: Profile, steady_s: float = 0.0) -> Replay:
    """At each frame the deepest depth that meets its deadline and the CPU share; the shallowest where none does.

    It knows the stall that no controller can foresee, and changes at every frame, without warm-up. With ``steady_s``
    the depth must meet the deadline of every frame that lies within half of that before and after: it still knows
    the future, but does not thread its way between late frames. The CPU share holds for the mean over
    `SHARE_OVER_S` around the frame, at the depth in question.
    """
    shallowest, deepest = depth_range(trace, profile)
    candidates = np.arange(trace.depths + 1)
    in_time = trace.ready_s() <= profile.deadline_share * trace.hop_s
    # Frames that are late even at the shallowest depth are so anyway, and ask for nothing.
    in_time = in_time | ~in_time[:, [shallowest]]
    reach = 2 * round(steady_s / 2 / trace.hop_s) + 1
    padded = np.pad(in_time, ((reach // 2, reach // 2), (0, 0)), constant_values=True)
    in_time = np.all(np.lib.stride_tricks.sliding_window_view(padded, reach, axis=0), axis=-1)
    costs = np.concatenate([[0.0], trace.costs_s])
    in_share = np.outer(_mean(trace.slowdown, round(SHARE_OVER_S / trace.hop_s)), costs) <= (
        profile.cpu_share * trace.hop_s
    )
    allowed = in_time & in_share & (candidates >= shallowest) & (candidates <= deepest)
    depths = np.where(allowed, candidates, shallowest).max(axis=1)
    return _outcome(trace, profile, depths, depths)


def _mean(values: Float64, over: int) -> Float64:
    """The running mean over ``over`` values centred on each; fewer at the ends."""
    window = np.ones(min(max(over, 1), len(values)))
    sums: Float64 = np.convolve(values, window, "same") / np.convolve(np.ones(len(values)), window, "same")
    return sums


def depth_range(trace: LoadTrace, profile: Profile) -> tuple[int, int]:
    """(shallowest, deepest) that ``profile`` allows on the model that ``trace`` is of."""
    deepest = min(profile.max_depth or trace.depths, trace.depths)
    return min(profile.min_depth, deepest), deepest


def _outcome(trace: LoadTrace, profile: Profile, ran: Depths, heard: Depths) -> Replay:
    walls, cpus = trace.times()
    wall, cpu = (np.take_along_axis(times, ran[:, None], axis=1)[:, 0] for times in (walls, cpus))
    deadline = profile.deadline_share * trace.hop_s
    at_least_depth = trace.ready_s()[:, depth_range(trace, profile)[0]]
    late = trace.wait_s + wall > deadline
    return Replay(ran, heard, cpu, late, late & (at_least_depth <= deadline))
