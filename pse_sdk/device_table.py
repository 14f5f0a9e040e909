"""The device table: what each depth costs on this machine, as `pse profile-device` measured it.

Apps only read it. What cannot be used (another machine's, another format's, a damaged one) is ignored with one
`PseWarning`: the controller then starts from the models' sizes, and learns the rest within seconds.
"""

from __future__ import annotations

import dataclasses
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from pse_sdk.errors import PseWarning, TableError
from pse_sdk.machine import Machine, this_machine

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# Rises whenever what is measured, or what a key means, changes.
FORMAT = 1
# The first is what a stream meets, and what the controller starts from.
CONDITIONS = ("paced", "hot", "paced_under_load", "hot_under_load")
MAX_BYTES = 1 << 20
MAX_MS = 1e6

R = TypeVar("R")


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
    load : the competing processes of the conditions under load, in words
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


def default_path() -> Path:
    """Where this user's device table lies."""
    return platformdirs.user_data_path("pse-sdk", appauthor=False) / "device.toml"


def usable_table(path: Path | None = None) -> DeviceTable | None:
    """The table of this machine; None where there is none and, with a `PseWarning`, where it cannot be used.

    The warnings name this module as their place, not the caller, so that Python shows each only once per process.
    """
    path = path or default_path()
    try:
        if not path.exists():
            return None
        table = read_table(path)
    except (TableError, OSError) as error:
        warnings.warn(f"device table ignored: {error}; `pse profile-device` makes it anew", PseWarning, stacklevel=1)
        return None
    if table.machine != this_machine():
        warnings.warn(
            f"device table ignored: {path} was made on another machine ({table.machine}; this one is "
            f"{this_machine()}); `pse profile-device` measures this one", PseWarning, stacklevel=1,
        )  # fmt: skip
        return None
    return table


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


def read_table(path: Path) -> DeviceTable:
    """The table in a file. Raises `TableError` for one that is missing, damaged or of another format."""
    try:
        if not path.is_file():
            raise TableError(f"{path}: no such file")
        if path.stat().st_size > MAX_BYTES:
            raise TableError(f"{path}: too large for a device table")
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise TableError(f"{path}: cannot be read ({error})") from error
    if "format" not in values:
        raise TableError(f"{path}: is not a device table")
    if values["format"] != FORMAT:
        raise TableError(f"{path}: has format {values['format']!s:.20}, and this pse-sdk reads format {FORMAT}")
    try:
        return _table(values)
    except TableError as error:
        raise TableError(f"{path}: damaged ({error})") from None


def _table(values: Mapping[str, Any]) -> DeviceTable:
    machine = _record(Machine, _rows([values.get("machine")], "machine")[0], "machine")
    measured = tuple(
        _record(Measured, row, f"measured {number}", timings=_timings(row, f"measured {number}"))
        for number, row in enumerate(_rows(values.get("measured"), "measured"), 1)
    )
    rest = {key: value for key, value in values.items() if key not in ("format", "machine", "measured")}
    return _record(DeviceTable, rest, "table", machine=machine, measured=measured)


def _timings(row: Mapping[str, Any], where: str) -> tuple[Timing, ...]:
    timings = _rows(row.get("timings"), f"{where}: timings")
    return tuple(_record(Timing, t, f"{where}: timing {number}") for number, t in enumerate(timings, 1))


def _rows(value: Any, where: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise TableError(f"{where} is missing")
    return value


def _record(kind: type[R], values: Mapping[str, Any], where: str, **built: Any) -> R:
    """A dataclass of plain values, each checked by the type of its field, and of parts that are built already."""
    checked = dict(built)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name in built:
            continue
        value = values.get(field.name)
        if value is None and "None" in str(field.type):
            checked[field.name] = None
        elif _fits(value, str(field.type).split(" | ")[0], field.name):
            checked[field.name] = value
        else:
            raise TableError(f"{where}: {field.name} = {value!r:.40}")
    return kind(**checked)


def _fits(value: Any, kind: str, name: str) -> bool:
    if kind == "str":
        return isinstance(value, str) and (name != "condition" or value in CONDITIONS)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -MAX_MS <= value <= MAX_MS:
        return False  # NaN too: no comparison holds for it
    if kind == "int":
        return isinstance(value, int) and value >= 1
    # A frame takes time; energy above idling comes out negative where noise is larger than it.
    return value > 0 if name in ("wall_p50_ms", "hop_ms") else value >= 0 or name == "energy_mj"
