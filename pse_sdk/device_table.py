"""The device table: what each depth costs on a machine, as `pse profile-device` measured it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pse_sdk.errors import TableError
from pse_sdk.machine import Machine

# The first is what a stream meets, and what the controller starts from.
CONDITIONS = ("paced", "hot", "paced_under_load", "hot_under_load")


@dataclass(frozen=True)
class Timing:
    """Times of one frame at one depth, under one condition, in milliseconds.

    Parameters
    ----------
    depth : 1..L
    condition : ``paced`` (a frame per hop, as in a stream) or ``hot`` (back to back), alone or ``_under_load``
    frames : how many were measured
    wall_... : quantiles of the time that passed
    cpu_... : quantiles of this thread's share of a core
    late : the part (0..1) of the frames that took longer than a hop
    energy_mj : millijoules per frame of the whole processor package, above idling; where the system tells
    """

    depth: int
    condition: str
    frames: int
    wall_p50_ms: float
    wall_p95_ms: float
    wall_p99_ms: float
    wall_max_ms: float
    cpu_p50_ms: float
    cpu_p95_ms: float
    cpu_p99_ms: float
    cpu_max_ms: float
    late: float
    energy_mj: float | None = None


@dataclass(frozen=True)
class Measured:
    """One model file in one runtime.

    Parameters
    ----------
    model, sha256, precision : of the file
    runtime, runtime_version : what ran it
    hop_ms : time between frames
    start_ms : in a fresh process, import pse-sdk and the runtime, open the model, run one frame
    load_ms : open the model and run one frame, where all is imported
    memory_mb : what importing and loading add to a process that has NumPy
    timings : one per depth and condition; ``paced`` for every depth
    load : the competing processes of the conditions under load, where they are not those of the whole table
    made : as of the whole table, where an earlier run measured it
    """

    model: str
    sha256: str
    precision: str
    runtime: str
    runtime_version: str
    hop_ms: float
    start_ms: float
    load_ms: float
    memory_mb: float
    timings: tuple[Timing, ...]
    load: str | None = None
    made: str | None = None

    def __post_init__(self) -> None:
        measured = [(t.condition, t.depth) for t in self.timings]
        if len(set(measured)) != len(measured):
            raise TableError("a depth was measured twice")
        if sorted(t.depth for t in self._paced) != list(range(1, len(self._paced) + 1)) or not self._paced:
            raise TableError("the depths are not 1, 2, 3, ...")

    @property
    def costs_s(self) -> list[float]:
        """Seconds per frame of a stream on the idle machine, at depth 1..L."""
        return [t.wall_p50_ms / 1e3 for t in sorted(self._paced, key=lambda t: t.depth)]

    @property
    def _paced(self) -> list[Timing]:
        return [t for t in self.timings if t.condition == CONDITIONS[0]]


@dataclass(frozen=True)
class DeviceTable:
    """All that was measured on one machine.

    Parameters
    ----------
    sdk : version of pse-sdk that measured
    made : date and time, ISO 8601, UTC
    governor : the system's policy for the clock, where it tells
    power : ``mains`` or ``battery``, where the system tells
    busy : CPU load (0..1, all cores) by others before the measuring began
    load : the competing processes of the conditions under load, in words; what was measured under another, in an
        earlier run, names its own
    """

    machine: Machine
    sdk: str
    made: str
    governor: str | None
    power: str | None
    busy: float
    load: str
    measured: tuple[Measured, ...]

    def find(self, runtime: str, sha256: str) -> Measured | None:
        """What is known of a model file in a runtime."""
        return next((m for m in self.measured if (m.runtime, m.sha256) == (runtime, sha256)), None)


def fastest_first(table: DeviceTable | None, candidates: Mapping[str, str]) -> list[str]:
    """Runtimes in the order of the time that they were measured to take, summed over all depths.

    Parameters
    ----------
    candidates
        The sha256 of the file that each runtime would load, by the runtime's name, in order of preference. Those that
        were not measured keep their places: nothing speaks for or against them.
    """
    costs = {
        name: sum(measured.costs_s)
        for name, sha256 in candidates.items()
        if table is not None and (measured := table.find(name, sha256)) is not None
    }
    by_cost = iter(sorted(costs, key=lambda name: costs[name]))
    return [next(by_cost) if name in costs else name for name in candidates]
