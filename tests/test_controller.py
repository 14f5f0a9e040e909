"""The controller as a law: never outside the profile, down at once, up with care, the same in, the same out."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pse_sdk.profiles import Profile, load_profile

from pse_sdk.controller import DepthController, Load

HOP = 0.01
COSTS = [0.1e-3, 0.15e-3, 0.2e-3, 0.25e-3, 0.3e-3]
BALANCED = load_profile("balanced")
# 10 % of jitter, the same in every run.
JITTER = [1 + 0.1 * ((i * 7919) % 13 - 6) / 6 for i in range(3000)]


def run(controller: DepthController, slowdowns: list[float]) -> list[int]:
    """Depth after each frame on a machine that is ``slowdown`` times slower than expected."""
    depths = []
    for slowdown in slowdowns:
        depth = controller.decision.depth
        cost = COSTS[depth - 1] * slowdown if depth else 1e-6
        depths.append(controller.observe(depth, cost, cost).depth)
    return depths


# Levels that are held for a while: a rise needs many frames that fit, and lists of numbers drawn one by one are short.
slowdown_lists = st.lists(
    st.tuples(st.one_of(st.sampled_from([0.2, 1.0, 5.0, 14.0, 40.0, 200.0]), st.floats(0.1, 1000)), st.integers(1, 80)),
    min_size=4,
    max_size=12,
).map(lambda held: [level for level, frames in held for _ in range(frames)])
profiles = st.builds(
    Profile,
    name=st.just("any"),
    min_depth=st.integers(0, 2),
    max_depth=st.sampled_from([0, 2, 3, 5]),
    deadline_share=st.floats(0.05, 1),
    cpu_share=st.floats(0.01, 1),
    margin=st.floats(0, 5),
    headroom=st.floats(0, 0.5),
    dwell_s=st.floats(0, 1),
)


@given(profiles, slowdown_lists)
def test_the_depth_stays_within_the_profile(profile: Profile, slowdowns: list[float]) -> None:
    depths = run(DepthController(profile, COSTS, HOP), slowdowns)
    assert all(profile.min_depth <= depth <= (profile.max_depth or 5) for depth in depths)


@given(profiles, slowdown_lists)
def test_the_same_measurements_give_the_same_depths(profile: Profile, slowdowns: list[float]) -> None:
    first, second = (run(DepthController(profile, COSTS, HOP), slowdowns) for _ in range(2))
    assert first == second


@given(profiles, slowdown_lists)
def test_the_depth_rises_one_level_at_a_time(profile: Profile, slowdowns: list[float]) -> None:
    controller = DepthController(profile, COSTS, HOP)
    settled = controller.decision.depth
    for slowdown in slowdowns:
        depth = controller.decision.depth
        wall = COSTS[depth - 1] * slowdown if depth else 1e-6
        after = controller.observe(depth, wall, wall).depth
        assert after <= settled + 1
        if wall <= controller.deadline_s:  # after a late frame comes a careful one, which is no settled depth
            settled = after


@given(slowdown_lists)
def test_depth_never_rises_while_deadlines_are_missed(slowdowns: list[float]) -> None:
    controller = DepthController(BALANCED, COSTS, HOP)
    for slowdown in slowdowns:
        before = controller.decision.depth
        wall = COSTS[before - 1] * slowdown
        after = controller.observe(before, wall, wall).depth
        if wall > controller.deadline_s:
            assert after <= before


def test_the_lists_drawn_make_the_depth_rise_and_fall() -> None:
    changes: set[int] = set()

    @given(slowdown_lists)
    def follow(slowdowns: list[float]) -> None:
        depths = run(DepthController(BALANCED, COSTS, HOP), slowdowns)
        changes.update(int(np.sign(b - a)) for a, b in itertools.pairwise(depths))

    follow()
    assert changes == {-1, 0, 1}


def test_an_idle_machine_runs_the_deepest() -> None:
    assert run(DepthController(BALANCED, COSTS, HOP), [1.0] * 50)[-1] == 5


def test_a_sudden_overload_is_answered_within_two_frames_by_several_levels() -> None:
    controller = DepthController(BALANCED, COSTS, HOP)
    run(controller, [1.0] * 100)
    assert run(controller, [40.0, 40.0])[-1] <= 2


def test_one_late_frame_alone_costs_one_careful_frame_and_no_more() -> None:
    controller = DepthController(BALANCED, COSTS, HOP)
    run(controller, [1.0] * 200)
    assert run(controller, [30.0] + [1.0] * 50) == [1] + [5] * 50


def test_depth_returns_within_seconds_once_frames_no_longer_wait_for_a_core() -> None:
    controller = DepthController(BALANCED, COSTS, HOP)
    rng = np.random.default_rng(0)
    for n in range(1200):
        loaded = n < 800
        wait = float(rng.choice([0.0, 0.0, 0.004, 0.0046])) if loaded else 0.0
        depth = controller.depth_after(wait)
        stall = 0.004 if loaded and n % 50 == 0 else 0.0  # held off while it computes, too
        controller.observe(depth, 2 * COSTS[depth - 1] + stall, 2 * COSTS[depth - 1], wait)
    assert controller.decision.depth == 5


def test_no_two_frames_in_a_row_are_late_where_depth_1_fits() -> None:
    controller = DepthController(BALANCED, COSTS, HOP)
    run(controller, [1.0] * 200)
    late = []
    for slowdown in [30.0, 30.0, 1.0, 30.0, 45.0, 1.0, 1.0] * 20:
        depth = controller.decision.depth
        wall = COSTS[depth - 1] * slowdown
        late.append(wall > controller.deadline_s)
        controller.observe(depth, wall, wall)
    assert any(late)
    assert not any(a and b for a, b in itertools.pairwise(late))


@given(st.floats(0, 0.05), slowdown_lists)
def test_the_depth_after_a_wait_is_the_deepest_that_still_fits_or_the_least(
    wait: float, slowdowns: list[float]
) -> None:
    controller = DepthController(BALANCED, COSTS, HOP)
    run(controller, slowdowns)
    depth, decided = controller.depth_after(wait), controller.decision.depth
    assert 1 <= depth <= decided
    assert depth == 1 or wait == 0 or wait + controller.predict_s(depth) <= controller.deadline_s
    assert depth == decided or wait + controller.predict_s(depth + 1) > controller.deadline_s


def with_waits(controller: DepthController, frames: int, every: int, wait: float) -> list[int]:
    """Depths of frames of which each ``every``-th waits for its core before it begins; half the deadline's work."""
    depths = []
    for n in range(frames):
        waited = wait if n % every == 0 else 0.0
        depths.append(controller.depth_after(waited))
        took = 8 * COSTS[depths[-1] - 1] * JITTER[n % 3000]
        controller.observe(depths[-1], took, took, waited)
    return depths


def test_rare_waits_cost_only_the_frames_that_waited() -> None:
    profile = Profile("deadline only", cpu_share=1.0)
    depths = with_waits(DepthController(profile, COSTS, HOP), 1000, every=50, wait=0.003)
    assert max(depths[400::50]) < 5
    assert set(depths[400:]) - set(depths[400::50]) == {5}


def test_frequent_waits_lower_the_depth_of_all_frames_and_no_frame_is_late() -> None:
    controller = DepthController(Profile("deadline only", cpu_share=1.0), COSTS, HOP)
    run(controller, [8 * jitter for jitter in JITTER[:200]])
    depths = with_waits(controller, 1000, every=2, wait=0.003)
    assert max(depths[200:]) <= 3
    took = [8 * COSTS[depth - 1] * jitter for depth, jitter in zip(depths, JITTER[:1000], strict=True)]
    assert not any(controller.is_late(wall, 0.003 if n % 2 == 0 else 0.0) for n, wall in enumerate(took))


def test_a_wait_beyond_the_deadline_is_a_miss_that_costs_no_later_frame_its_depth() -> None:
    controller = DepthController(BALANCED, COSTS, HOP)
    run(controller, [1.0] * 200)
    assert controller.is_late(COSTS[0], 0.02)
    controller.observe(1, COSTS[0], COSTS[0], 0.02)
    assert set(run(controller, [1.0] * 20)) == {5}


def with_stalls(controller: DepthController, frames: int, every: int) -> list[int]:
    """Depths on an idle machine that holds the thread off for 6 ms in each ``every``-th frame."""
    depths = []
    for n in range(frames):
        depth = controller.decision.depth
        wall = COSTS[depth - 1] * JITTER[n % 3000] + (0.006 if n % every == 0 else 0)
        depths.append(controller.observe(depth, wall, COSTS[depth - 1]).depth)
    return depths


def test_rare_stalls_do_not_cost_depth_but_frequent_ones_do() -> None:
    rare, frequent = (DepthController(BALANCED, COSTS, HOP) for _ in range(2))
    assert sum(depth < 5 for depth in with_stalls(rare, 6000, every=2000)) <= 3
    assert with_stalls(frequent, 3000, every=50)[-1] == 1


def test_calm_after_stalls_brings_the_depth_back() -> None:
    controller = DepthController(BALANCED, COSTS, HOP)
    with_stalls(controller, 3000, every=50)
    depths = run(controller, JITTER * 2)
    assert depths[-1] == 5


def test_a_short_load_does_not_count_against_the_mean_cpu_share_but_a_long_one_does() -> None:
    profile = Profile("thrifty", cpu_share=0.05)
    short, long = DepthController(profile, COSTS, HOP), DepthController(profile, COSTS, HOP)
    for controller in (short, long):
        run(controller, [1.0] * 1000)
    assert run(short, [4.0] * 30)[-1] == 5
    assert run(long, [4.0] * 1000)[-1] < 5


def test_it_recovers_when_the_load_ends() -> None:
    controller = DepthController(BALANCED, COSTS, HOP)
    run(controller, [1.0] * 100 + [40.0] * 200)
    assert controller.decision.depth == 1
    assert run(controller, [1.0] * 2000)[-1] == 5


@pytest.mark.parametrize(("on", "off", "pulses"), [(100, 3000, 5), (100, 100, 3), (100, 100, 10), (30, 400, 60)])
@pytest.mark.parametrize("profile", ["battery", "balanced", "quality"])
def test_it_recovers_from_any_number_of_pulses_of_load(profile: str, on: int, off: int, pulses: int) -> None:
    controller = DepthController(load_profile(profile), COSTS, HOP)
    start = controller.decision.depth
    run(controller, [jitter * 20 for jitter in JITTER[:on]] + JITTER[:off])
    for _ in range(pulses):
        run(controller, [jitter * 20 for jitter in JITTER[:on]] + JITTER[:off])
    assert run(controller, JITTER * 2)[-1] == start


def test_a_raised_minimum_holds_at_once_whatever_the_load() -> None:
    controller = DepthController(BALANCED, COSTS, HOP)
    run(controller, [60.0] * 100)
    assert controller.decision.depth == 1
    controller.set_profile(load_profile("fixed-5"))
    assert controller.decision.depth == 5
    assert set(run(controller, [60.0] * 100)) == {5}
    controller.set_profile(load_profile("fixed-1"))
    assert controller.decision.depth == 1


def test_bypass_forced_by_the_cpu_share_ends_too() -> None:
    controller = DepthController(Profile("low", min_depth=0, cpu_share=0.1, dwell_s=0.2), COSTS, HOP)
    assert run(controller, [200.0] * 300)[-1] == 0
    assert run(controller, [1.0] * 6000)[-1] == 5


@pytest.mark.parametrize("slowdown", [1, 5, 10, 14, 16, 18, 25, 60])
def test_a_steady_load_does_not_make_it_oscillate(slowdown: float) -> None:
    controller = DepthController(BALANCED, COSTS, HOP)
    depths = run(controller, [slowdown * (1 + 0.1 * ((i * 7919) % 13 - 6) / 6) for i in range(12000)])[6000:]
    assert sum(a != b for a, b in itertools.pairwise(depths)) <= 6


def test_the_cpu_share_limits_the_depth_where_the_deadline_does_not() -> None:
    controller = DepthController(Profile("thrifty", cpu_share=0.021), COSTS, HOP)
    assert run(controller, [1.0] * 300)[-1] == 3
    assert controller.predict_s(5) < controller.deadline_s


def test_bypass_comes_only_where_the_profile_allows_it_and_ends_by_itself() -> None:
    allowed = DepthController(Profile("low", min_depth=0, dwell_s=0.2), COSTS, HOP)
    assert 0 in run(allowed, [200.0] * 100)
    assert run(allowed, [1.0] * 4000)[-1] == 5
    assert 0 not in run(DepthController(BALANCED, COSTS, HOP), [200.0] * 100)


def test_a_machine_too_slow_for_any_depth_is_tried_ever_more_rarely() -> None:
    controller = DepthController(Profile("low", min_depth=0, dwell_s=0.2), COSTS, HOP)
    depths = run(controller, [1.2 * controller.deadline_s / COSTS[0]] * 60_000)
    assert sum(depth > 0 for depth in depths) < 150  # in ten minutes


def test_a_low_battery_limits_the_depth_unless_plugged_in() -> None:
    profile = Profile("b", low_battery=0.2)
    controller = DepthController(profile, COSTS, HOP)
    controller.observe_load(Load(0.1, battery=0.1, plugged=False))
    assert run(controller, [1.0])[-1] == 1
    assert controller.decision.reason == "battery low"
    controller.observe_load(Load(0.1, battery=0.1, plugged=True))
    assert run(controller, [1.0] * 3000)[-1] == 5


def test_a_busy_system_is_not_loaded_further_where_the_profile_says_so() -> None:
    controller = DepthController(Profile("polite", busy_load=0.9), COSTS, HOP)
    run(controller, [100.0] * 50)
    low = controller.decision.depth
    controller.observe_load(Load(cpu=0.99))
    assert run(controller, [1.0] * 3000)[-1] == low
    assert controller.decision.reason == "system busy"


def test_a_clock_set_back_teaches_nothing() -> None:
    controller = DepthController(BALANCED, COSTS, HOP)
    before = controller.predict_s(5)
    controller.observe(5, -3.0, 0.001)
    assert controller.predict_s(5) == before


def test_a_clock_that_stands_still_does_no_harm() -> None:
    controller = DepthController(BALANCED, COSTS, HOP)
    for _ in range(30000):
        controller.observe(controller.decision.depth, 0.0, 0.0)
    assert run(controller, [1.0] * 300)[-1] == 5


def test_every_decision_has_a_reason() -> None:
    controller = DepthController(BALANCED, COSTS, HOP)
    for slowdown in [1.0, 50.0, 50.0, 1.0] * 50:
        depth = controller.decision.depth
        assert controller.observe(depth, COSTS[depth - 1] * slowdown, 1e-4).reason


def test_another_profile_keeps_the_depth_that_both_allow() -> None:
    controller = DepthController(BALANCED, COSTS, HOP)
    run(controller, [1.0] * 50)
    controller.set_profile(load_profile("quality"))
    assert controller.decision.depth == 5


def test_a_profiles_least_depth_holds_from_its_first_frame_on() -> None:
    controller = DepthController(BALANCED, COSTS, HOP)
    run(controller, [1.0] * 50)
    assert run(controller, [30.0]) == [1]  # a late frame: the next one is to be the least
    controller.set_profile(Profile("three", min_depth=3))
    assert controller.decision.depth >= 3
