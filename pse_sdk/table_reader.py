"""Read the device table. Apps only read it: `pse profile-device` writes.

What cannot be used (another machine's, another format's, a damaged one) is ignored with one `DeviceTableWarning`: then
the controller starts from the models' sizes, and learns the rest within seconds.
"""

from __future__ import annotations

import dataclasses
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from pse_sdk.device_table import CONDITIONS, DeviceTable, Measured, Timing
from pse_sdk.errors import DeviceTableWarning, TableError, shown
from pse_sdk.machine import Machine, this_machine

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# Rises whenever what is measured, or what a key means, changes.
FORMAT = 1
MAX_BYTES = 1 << 20
MAX_MS = 1e6
# Of what no frame takes less than; costs are divided by it.
LEAST_MS = 1e-6

R = TypeVar("R")


def default_path() -> Path:
    """Where this user's device table lies. Raises `TableError` for a user without a home directory."""
    try:
        return platformdirs.user_data_path("pse-sdk", appauthor=False) / "device.toml"
    except RuntimeError as error:
        raise TableError(f"no place for a device table ({error}); set HOME to a folder") from error


def usable_table(path: Path | None = None) -> DeviceTable | None:
    """The table of this machine; None where there is none and, with a `DeviceTableWarning`, where it cannot be used.

    The warnings name this module as their place, not the caller, so that Python shows each only once per process.
    """
    try:
        path = path or default_path()
    except TableError as error:
        warnings.warn(f"device table ignored: {error}", DeviceTableWarning, stacklevel=1)
        return None
    try:
        if not path.exists():
            return None
        table = read_table(path)
    except (TableError, OSError) as error:
        message = f"device table ignored: {error}; `pse profile-device` makes it anew"
        warnings.warn(message, DeviceTableWarning, stacklevel=1)
        return None
    if elsewhere := why_not_here(table, path):
        message = f"device table ignored: {elsewhere}; `pse profile-device` measures this one"
        warnings.warn(message, DeviceTableWarning, stacklevel=1)
        return None
    return table


def why_not_here(table: DeviceTable, path: Path) -> str:
    """Why a table says nothing of this machine; empty if it does."""
    here = this_machine()
    return "" if table.machine == here else f"{path} was made on another machine ({table.machine}; this one is {here})"


def read_table(path: Path) -> DeviceTable:
    """The table in a file. Raises `TableError` for one that is missing, damaged or of another format."""
    try:
        if not path.is_file():
            raise TableError(f"{path}: {'is not a file' if path.exists() else 'no such file'}")
        if path.stat().st_size > MAX_BYTES:
            raise TableError(f"{path}: too large for a device table")
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise TableError(f"{path}: cannot be read ({error})") from error
    if "format" not in values:
        raise TableError(f"{path}: is not a device table")
    if values["format"] != FORMAT or isinstance(values["format"], bool):
        raise TableError(f"{path}: has format {shown(values['format'])}, and this pse-sdk reads format {FORMAT}")
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
            raise TableError(f"{where}: {field.name} = {shown(value)}")
    return kind(**checked)


def _fits(value: Any, kind: str, name: str) -> bool:
    if kind == "str":
        # Others' tables are shown in terminals, which control characters would command.
        return isinstance(value, str) and value.isprintable() and (name != "condition" or value in CONDITIONS)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -MAX_MS <= value <= MAX_MS:
        return False  # NaN too: no comparison holds for it
    if kind == "int":
        return isinstance(value, int) and value >= 1
    if name == "late":
        return 0 <= value <= 1
    # A frame takes time; energy above idling comes out negative where noise is larger than it.
    return value >= LEAST_MS if name in ("wall_p50_ms", "hop_ms") else value >= 0 or name == "energy_mj"
