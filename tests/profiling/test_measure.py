"""The measuring: every candidate, depth and condition gets its frames, in turns, with exact figures on a fake clock."""

from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_sdk.device_table import CONDITIONS
from pse_sdk.profiling import measure as module
from pse_sdk.profiling.competitors import Competition
from pse_sdk.profiling.energy import EnergyMeter
from pse_sdk.profiling.footprint import Footprint
from pse_sdk.profiling.frames import WARM_UP
from pse_sdk.profiling.measure import Plan, Series, measure
from tests.profiling.fake_machine import FakeMachine
from tests.profiling.test_energy import Counters


@pytest.fixture(autouse=True)
def _fake_footprint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "measure_footprint", lambda *_: Footprint(300.0, 50.0, 60.0))


def run(machine: FakeMachine, plan: Plan, names: tuple[str, ...] = ("a",), meter: EnergyMeter | None = None) -> tuple:
    said: list[str] = []
    candidates = [machine.candidate(name) for name in names]
    meter = meter or EnergyMeter(Path("/nowhere"))
    every = measure(candidates, plan, meter, said.append, machine.time)
    assert len(said) == plan.steps(candidates)
    return every, said


def test_every_depth_costs_what_the_machine_takes_for_it() -> None:
    every, _ = run(FakeMachine([0.001, 0.002, 0.003]), Plan(30, 10))
    measured = every[0].measured()
    assert measured.costs_s == pytest.approx([0.001, 0.002, 0.003])
    assert [(t.condition, t.depth, t.frames) for t in measured.timings] == [
        (condition, depth, 30) for condition in ("paced", "hot") for depth in (1, 2, 3)]  # fmt: skip
    assert (measured.model, measured.sha256, measured.precision, measured.runtime) == ("a", "sum of a", "int8", "onnx")
    assert (measured.start_ms, measured.load_ms, measured.memory_mb, measured.hop_ms) == (300, 50, 60, 10)


def test_depths_and_candidates_take_turns() -> None:
    machine = FakeMachine()
    _, said = run(machine, Plan(20, 10), ("a", "b"))
    turn = 10 + WARM_UP
    assert machine.depths[: 6 * turn] == [d for d in (1, 2, 3, 1, 2, 3) for _ in range(turn)]
    paced = [line.split(" ")[0] + line[-1] for line in said if "paced" in line]
    assert paced == ["a1", "a2", "a3", "b1", "b2", "b3"] * 2


def test_the_conditions_under_load_run_beside_the_competitors(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, competition = FakeMachine(), Competition(2, nice=3)

    class Slower:
        def __init__(self, asked: Competition) -> None:
            self.processes = asked.processes

        def __enter__(self) -> None:
            machine.costs_s = [cost * (1 + self.processes) for cost in (0.001, 0.002, 0.003)]

        def __exit__(self, *_: object) -> None:
            machine.costs_s = [0.001, 0.002, 0.003]

    monkeypatch.setattr(module, "competing", Slower)
    every, _ = run(machine, Plan(10, 10, competition))
    medians = {(t.condition, t.depth): t.wall_p50_ms for t in every[0].measured().timings}
    assert [medians[condition, 2] for condition in CONDITIONS] == pytest.approx([2, 2, 6, 6])


def test_energy_is_per_frame_above_idle_and_only_where_the_load_is_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counters, machine = Counters(tmp_path), FakeMachine()
    meter = EnergyMeter(tmp_path)

    def advance() -> None:
        # 10 W all the time, and 4 W more while the core works.
        counters.set("intel-rapl:0", int(1e6 * (10 * (machine.wall - 100) + 4 * (machine.cpu - 5))))

    read = meter.read_j
    monkeypatch.setattr(meter, "read_j", lambda: (advance(), read())[1])
    meter.measure_idle(1.0, machine.sleep)
    monkeypatch.setattr(module, "competing", lambda _: nullcontext())
    every, _ = run(machine, Plan(50, 25, Competition(1)), meter=meter)
    energy = {(t.condition, t.depth): t.energy_mj for t in every[0].measured().timings}
    for condition in ("paced", "hot"):
        assert [energy[condition, d] for d in (1, 2, 3)] == pytest.approx([4, 8, 12], rel=1e-3)
        assert energy[f"{condition}_under_load", 1] is None


@given(st.integers(1, 1000), st.integers(1, 200))
def test_turns_add_up_to_the_frames_asked_for(frames: int, turn: int) -> None:
    assert sum(Plan(frames, turn).turns) == frames
    assert max(Plan(frames, turn).turns) <= turn


def test_every_frame_is_kept_for_the_plot() -> None:
    every, _ = run(FakeMachine(), Plan(30, 10))
    series: Series = every[0]
    assert {c: [len(cell.timed.wall_s) for cell in cells] for c, cells in series.cells.items()} == {
        "paced": [30] * 3, "hot": [30] * 3}  # fmt: skip
