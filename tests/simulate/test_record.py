"""The recorder: paced frames, and from their times the costs, slowdowns and stalls."""

from pathlib import Path

import numpy as np
import pytest

from pse_sdk.load import Clocks
from pse_sdk.pipeline import Pipeline
from pse_sdk.simulate.record import CALIBRATION, record_trace
from pse_sdk.simulate.trace import LoadTrace


class Machine:
    """Time that passes only while a frame runs or somebody sleeps."""

    def __init__(self) -> None:
        self.now = self.cpu = 0.0
        self.frames = 0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def spend(self, cpu_s: float, stall_s: float) -> None:
        self.cpu += cpu_s
        self.now += cpu_s + stall_s


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """One ms of CPU time per block; after the calibration twice that, and each tenth frame is stalled for 3 ms."""
    machine = Machine()
    real = Pipeline.run_frame

    def run_frame(pipeline: Pipeline, depth: int, wet: float) -> tuple[np.ndarray, int, int]:
        recording = machine.frames >= 3 * CALIBRATION
        machine.spend(depth * 1e-3 * (1 + recording), 3e-3 if recording and machine.frames % 10 == 0 else 0.0)
        machine.frames += 1
        return real(pipeline, depth, wet)

    monkeypatch.setattr(Pipeline, "run_frame", run_frame)
    return machine


def test_costs_slowdowns_and_stalls_are_what_the_machine_did(tiny_model: Path, machine: Machine) -> None:
    clocks = Clocks(lambda: machine.now, lambda: machine.cpu)
    done: list[float] = []
    trace = record_trace(1.0, model=tiny_model, clocks=clocks, sleep=machine.sleep, progress=done.append)
    np.testing.assert_allclose(trace.costs_s, [1e-3, 2e-3, 3e-3])
    np.testing.assert_allclose(trace.slowdown, 2.0)
    np.testing.assert_allclose(trace.stall_s[::10], 3e-3)
    assert np.count_nonzero(trace.stall_s) == 10
    assert (trace.frames, trace.hop_s, done[-1]) == (100, 0.01, 1.0)


def test_a_frame_that_begins_late_is_recorded_with_its_wait(tiny_model: Path, machine: Machine) -> None:
    def oversleep(seconds: float) -> None:
        machine.sleep(seconds + (0.004 if machine.frames % 20 == 0 else 0.0))

    clocks = Clocks(lambda: machine.now, lambda: machine.cpu)
    trace = record_trace(1.0, model=tiny_model, clocks=clocks, sleep=oversleep)
    # Such a frame takes 9 ms, as it is stalled as well: the next one has to wait for it.
    expected = [{0: 0.004, 1: 0.003}.get(n % 20, 0.0) for n in range(100)]
    np.testing.assert_allclose(trace.wait_s, expected, atol=1e-9)


def test_the_queue_that_the_deepest_depth_makes_is_no_wait(
    tiny_model: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    spend = machine.spend
    monkeypatch.setattr(machine, "spend", lambda cpu_s, stall_s: spend(2 * cpu_s, 0.0))  # 12 ms where a hop is 10
    clocks = Clocks(lambda: machine.now, lambda: machine.cpu)
    trace = record_trace(1.0, model=tiny_model, clocks=clocks, sleep=machine.sleep)
    np.testing.assert_allclose(trace.wait_s, 0.0, atol=1e-9)
    np.testing.assert_allclose(trace.costs_s * trace.slowdown[:1], [4e-3, 8e-3, 12e-3])


def test_the_controller_is_told_what_an_enhancer_is_told(
    tiny_model: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pse_sdk.simulate.record.expected_costs", lambda runtime: [0.1, 0.2, 0.9])  # a device table's
    clocks = Clocks(lambda: machine.now, lambda: machine.cpu)
    trace = record_trace(0.1, model=tiny_model, clocks=clocks, sleep=machine.sleep)
    assert trace.expected_s.tolist() == [0.1, 0.2, 0.9]


def test_frames_come_one_per_hop(tiny_model: Path, machine: Machine) -> None:
    clocks = Clocks(lambda: machine.now, lambda: machine.cpu)
    record_trace(2.0, model=tiny_model, clocks=clocks, sleep=machine.sleep)
    frames = 3 * CALIBRATION + 200
    assert machine.frames == frames
    assert machine.now == pytest.approx(0.01 * frames, abs=0.01)


def interrupt(frames: int, trace_seconds: float, model: Path, machine: Machine) -> LoadTrace:
    """A recording in which Ctrl-C comes after so many frames, the calibration's too."""

    def sleep(seconds: float) -> None:
        machine.sleep(seconds)
        if machine.frames == frames:
            raise KeyboardInterrupt

    return record_trace(
        trace_seconds, model=model, clocks=Clocks(lambda: machine.now, lambda: machine.cpu), sleep=sleep
    )


def test_an_interrupt_ends_the_recording_and_keeps_it(tiny_model: Path, machine: Machine) -> None:
    assert interrupt(3 * CALIBRATION + 40, 2.0, tiny_model, machine).frames == 40


def test_an_interrupt_in_the_calibration_leaves_nothing_to_keep(tiny_model: Path, machine: Machine) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupt(3 * CALIBRATION, 2.0, tiny_model, machine)


def test_costs_rise_even_where_a_clock_is_too_coarse_to_tell(tiny_model: Path) -> None:
    clocks = Clocks(lambda: 0.0, lambda: 0.0)
    trace = record_trace(0.1, model=tiny_model, clocks=clocks, sleep=lambda seconds: None)
    assert (np.diff(trace.costs_s) > 0).all()
