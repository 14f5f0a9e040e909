"""Frames are timed exactly as they ran: paced ones when they are due, hot ones at once."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_sdk.profiling.frames import WARM_UP, TimedDepth
from tests.profiling.fake_machine import HOP_S, FakeMachine


def timed(machine: FakeMachine, depth: int = 2) -> TimedDepth:
    return TimedDepth(machine.candidate().runtime, depth, machine.time)


def gaps(machine: FakeMachine) -> list[float]:
    return [after - before for before, after in itertools.pairwise(machine.starts)]


def test_paced_frames_start_a_hop_apart() -> None:
    machine = FakeMachine()
    timed(machine).run(20, paced=True)
    assert gaps(machine) == pytest.approx([HOP_S] * (20 + WARM_UP - 1))


def test_hot_frames_start_when_the_one_before_has_ended() -> None:
    machine = FakeMachine()
    timed(machine).run(20, paced=False)
    assert gaps(machine) == pytest.approx([0.002] * (20 + WARM_UP - 1))


def test_after_a_late_frame_the_queue_is_worked_off_at_once_as_in_a_stream() -> None:
    machine = FakeMachine()
    machine.stolen_s[10] = 0.025
    timed(machine).run(20, paced=True)
    assert gaps(machine)[10:14] == pytest.approx([0.027, 0.002, 0.002, 0.009])
    assert machine.starts[-1] - machine.starts[0] == pytest.approx((20 + WARM_UP - 1) * HOP_S)


def test_frames_that_warm_up_run_but_do_not_count() -> None:
    machine = FakeMachine()
    machine.stolen_s[0] = 1.0
    depth = timed(machine)
    depth.run(7, paced=False)
    depth.run(3, paced=False)
    assert len(machine.starts) == 10 + 2 * WARM_UP
    assert depth.wall_s == pytest.approx([0.002] * 10)


def test_time_taken_by_others_is_wall_time_and_not_cpu_time() -> None:
    machine = FakeMachine()
    machine.stolen_s[WARM_UP + 3] = 0.5
    depth = timed(machine)
    depth.run(100, paced=False)
    timing = depth.timing("hot", None)
    assert (timing.wall_p50_ms, timing.wall_max_ms) == pytest.approx((2, 502))
    assert (timing.cpu_p50_ms, timing.cpu_max_ms) == pytest.approx((2, 2))
    assert timing.late == 0.01
    assert (timing.depth, timing.condition, timing.frames, timing.energy_mj) == (2, "hot", 100, None)


@given(st.lists(st.floats(0, 0.1), min_size=1, max_size=50), st.booleans())
def test_quantiles_are_in_order_and_the_maximum_is_the_longest_frame(stolen: list[float], paced: bool) -> None:
    machine = FakeMachine()
    machine.stolen_s = {WARM_UP + i: seconds for i, seconds in enumerate(stolen)}
    depth = timed(machine)
    depth.run(len(stolen), paced)
    t = depth.timing("paced", None)
    assert 0 < t.wall_p50_ms <= t.wall_p95_ms <= t.wall_p99_ms <= t.wall_max_ms
    assert t.wall_max_ms == pytest.approx(1e3 * (0.002 + max(stolen)))
