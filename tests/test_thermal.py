"""Heat: the ceiling falls level by level while the machine is hot or throttled, and rises with more patience."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pse_sdk.profiles import Profile

from pse_sdk.controller import DepthController, Load
from pse_sdk.thermal import COOL, FALL_S, HOT, NONE, RISE_S, Relief, relieve

HOP = 0.01
COSTS = [0.1e-3, 0.15e-3, 0.2e-3, 0.25e-3, 0.3e-3]


def after(relief: Relief, seconds: float, heat: float | None = None, clock: float | None = None, cpu: float = 0.9):
    for _ in range(round(seconds / HOP)):
        relief = relieve(relief, cpu, heat, clock, HOP, most=4)
    return relief


def test_a_cool_machine_needs_no_relief() -> None:
    assert after(NONE, 60, heat=0.6, clock=0.9) == NONE


def test_a_hot_machine_takes_a_level_off_at_once_and_more_while_it_stays_hot() -> None:
    relief = after(NONE, HOP, heat=HOT)
    assert relief.levels == 1
    assert after(relief, FALL_S + HOP, heat=HOT).levels == 2
    assert after(relief, 20 * FALL_S, heat=1.2).levels == 4


def test_levels_come_back_one_by_one_once_it_is_cool() -> None:
    hot = after(NONE, 2 * FALL_S, heat=1.0)
    assert after(hot, RISE_S - 1, heat=0.5).levels == hot.levels
    assert after(hot, RISE_S + 1, heat=0.5).levels == hot.levels - 1
    assert after(hot, 10 * RISE_S, heat=0.5) == NONE


def test_between_hot_and_cool_nothing_changes() -> None:
    hot = after(NONE, 2 * FALL_S, heat=1.0)
    assert after(hot, 600, heat=(HOT + COOL) / 2).levels == hot.levels
    assert after(NONE, 600, heat=(HOT + COOL) / 2) == NONE


def test_a_temperature_around_the_threshold_does_not_make_the_depth_go_to_and_fro() -> None:
    relief, levels = NONE, []
    for i in range(60_000):
        relief = relieve(relief, 0.5, HOT + 0.02 * (-1) ** (i // 50), None, HOP, most=4)
        levels.append(relief.levels)
    assert all(later >= earlier for earlier, later in itertools.pairwise(levels))


@pytest.mark.parametrize(("cpu", "levels"), [(0.95, 1), (0.1, 0), (None, 0)])
def test_a_slow_clock_is_throttling_only_while_the_machine_works(cpu: float | None, levels: int) -> None:
    assert relieve(NONE, cpu, None, 0.3, HOP, most=4).levels == levels


def test_a_machine_that_does_not_tell_any_more_is_not_limited_for_ever() -> None:
    assert relieve(Relief(3), 0.5, None, None, HOP, most=4) == NONE


def test_a_profile_of_fewer_levels_is_relieved_of_no_more_than_it_has() -> None:
    hot = after(NONE, 60, heat=1.0)
    assert hot.levels == 4
    assert relieve(hot, 0.5, (HOT + COOL) / 2, None, HOP, most=1).levels == 1
    assert relieve(hot, 0.5, 0.5, None, RISE_S, most=1) == NONE


@given(st.lists(st.tuples(st.floats(0, 1), st.none() | st.floats(0, 1.5), st.none() | st.floats(0, 1),
                          st.integers(0, 4)), max_size=200))  # fmt: skip
def test_relief_is_never_more_than_there_is_to_take_off(readings: list) -> None:
    relief = NONE
    for cpu, heat, clock, most in readings:
        relief = relieve(relief, cpu, heat, clock, 3.0, most)
        assert 0 <= relief.levels <= most


def ran(controller: DepthController, seconds: float) -> list[int]:
    depths = []
    for _ in range(round(seconds / HOP)):
        depth = controller.decision.depth
        cost = COSTS[depth - 1] if depth else 1e-6
        depths.append(controller.observe(depth, cost, cost).depth)
    return depths


def test_the_controller_goes_down_on_a_hot_machine_and_returns_when_it_is_cool() -> None:
    controller = DepthController(Profile("any", dwell_s=0.2), COSTS, HOP)
    assert ran(controller, 1)[-1] == 5
    controller.observe_load(Load(cpu=0.3, heat=1.0))
    assert ran(controller, 1)[-1] == 4
    assert controller.decision.reason == "machine hot or throttled"
    assert ran(controller, 60)[-1] == 1
    controller.observe_load(Load(cpu=0.3, heat=0.6))
    assert ran(controller, 6 * RISE_S)[-1] == 5


def test_heat_neither_leaves_the_profile_nor_asks_for_bypass() -> None:
    for profile, lowest in ((Profile("two", min_depth=2), 2), (Profile("bypass", min_depth=0), 1)):
        controller = DepthController(profile, COSTS, HOP)
        controller.observe_load(Load(cpu=0.3, heat=1.0))
        assert ran(controller, 60)[-1] == lowest
