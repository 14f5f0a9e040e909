"""Measure all candidates at all depths under all conditions, in turns: what disturbs the machine disturbs them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pse_sdk.device_table import CONDITIONS, Measured, Timing
from pse_sdk.profiling.candidates import Candidate
from pse_sdk.profiling.competitors import Competition, competing
from pse_sdk.profiling.energy import EnergyMeter
from pse_sdk.profiling.footprint import Footprint, measure_footprint
from pse_sdk.profiling.frames import WARM_UP, Time, TimedDepth

# Called before each turn, with what it is about.
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How much to measure.

    Parameters
    ----------
    frames : per candidate, depth and condition
    turn : frames of one depth before the next has its turn
    competition : for the conditions under load; with no processes these are left out
    """

    frames: int
    turn: int = 100
    competition: Competition = field(default_factory=lambda: Competition(0))

    @property
    def conditions(self) -> list[str]:
        return [c for c in CONDITIONS if self.competition.processes or not _under_load(c)]

    @property
    def turns(self) -> list[int]:
        """Frames of every turn."""
        whole, rest = divmod(self.frames, self.turn)
        return [self.turn] * whole + [rest] * (rest > 0)

    def steps(self, candidates: Sequence[Candidate]) -> int:
        """How often `measure` reports progress."""
        depths = sum(candidate.runtime.description.blocks for candidate in candidates)
        return len(candidates) + depths * len(self.turns) * len(self.conditions)


class Series:
    """One candidate: its footprint, and for each condition its depths with the time of every frame."""

    def __init__(self, candidate: Candidate, footprint: Footprint) -> None:
        self.candidate = candidate
        self.footprint = footprint
        self.cells: dict[str, list[Cell]] = {}

    def measured(self) -> Measured:
        d = self.candidate.runtime.description
        return Measured(
            model=d.name,
            sha256=self.candidate.sha256,
            precision=d.precision,
            runtime=self.candidate.runtime.name,
            runtime_version=self.candidate.runtime_version,
            hop_ms=1e3 * d.hop_seconds,
            start_ms=self.footprint.start_ms,
            load_ms=self.footprint.load_ms,
            memory_mb=self.footprint.memory_mb,
            timings=tuple(cell.timing(condition) for condition, cells in self.cells.items() for cell in cells),
        )


class Cell:
    """One depth of one candidate under one condition: its frames' times and the energy that they took."""

    def __init__(self, timed: TimedDepth) -> None:
        self.timed = timed
        self._joules: float | None = 0.0

    def turn(self, frames: int, paced: bool, meter: EnergyMeter | None, clock: Time) -> None:
        before, began = meter.read_j() if meter else None, clock.clocks.wall()
        self.timed.run(frames, paced)
        used = meter.above_idle_j(before, clock.clocks.wall() - began) if meter else None
        # The meter has counted the frames that warm up, too.
        share = frames / (frames + WARM_UP)
        self._joules = None if used is None or self._joules is None else self._joules + used * share

    def timing(self, condition: str) -> Timing:
        frames = len(self.timed.wall_s)
        return self.timed.timing(condition, None if self._joules is None else 1e3 * self._joules / frames)


def measure(
    candidates: Sequence[Candidate], plan: Plan, meter: EnergyMeter, progress: Progress, clock: Time | None = None
) -> list[Series]:
    """Run the plan. Paced conditions last as long as their frames do, hot ones a part of it."""
    clock = clock or Time()
    every = []
    for candidate in candidates:
        progress(f"{candidate}: load time and memory")
        every.append(Series(candidate, measure_footprint(candidate.runtime.name, candidate.path)))
    for condition in plan.conditions:
        for series in every:
            runtime = series.candidate.runtime
            depths = range(1, runtime.description.blocks + 1)
            series.cells[condition] = [Cell(TimedDepth(runtime, depth, clock)) for depth in depths]
        with competing(plan.competition if _under_load(condition) else Competition(0)):
            _take_turns(every, condition, plan, meter, progress, clock)
    return every


def _take_turns(
    every: list[Series], condition: str, plan: Plan, meter: EnergyMeter, progress: Progress, clock: Time
) -> None:
    # Under load the meter would count what the competitors use.
    watched = None if _under_load(condition) else meter
    for frames in plan.turns:
        for series in every:
            for cell in series.cells[condition]:
                progress(f"{series.candidate}: {condition.replace('_', ' ')}, depth {cell.timed.depth}")
                cell.turn(frames, condition.startswith("paced"), watched, clock)


def _under_load(condition: str) -> bool:
    return condition.endswith("under_load")
