"""Make a device table of what was measured, and write it. Apart from reading: apps only read."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import tomli_w

from pse_sdk.device_table import DeviceTable, Measured
from pse_sdk.errors import TableError
from pse_sdk.files import write_atomically
from pse_sdk.load import read_sensors
from pse_sdk.machine import governor, this_machine
from pse_sdk.profiling.competitors import Competition
from pse_sdk.table_reader import FORMAT, read_table, why_not_here

SAME_NAME = 3
HEADER = "# What `pse profile-device` measured on this machine. Delete this file to forget it.\n\n"


def make_table(measured: Sequence[Measured], busy: float, competition: Competition) -> DeviceTable:
    """The table of this machine, now."""
    plugged = read_sensors().plugged
    return DeviceTable(
        machine=this_machine(),
        sdk=metadata.version("pse-sdk"),
        made=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        governor=governor(),
        power=None if plugged is None else "mains" if plugged else "battery",
        busy=busy,
        load=str(competition),
        measured=tuple(measured),
    )


def add_earlier(table: DeviceTable, path: Path) -> DeviceTable:
    """``table`` with what the one at ``path`` knows of other files and runtimes, if that is of this machine.

    Of files of one name the last `SAME_NAME` that were measured are kept: an app may use two, and none uses all that
    there ever were. They say of themselves when they were measured and, where that differs, under which load.
    """
    if not path.exists() or why_not_kept(path):
        return table
    earlier = read_table(path)
    new = {(m.runtime, m.sha256) for m in table.measured}
    named = Counter(_name(m) for m in table.measured)
    kept = []
    for m in earlier.measured:
        if (m.runtime, m.sha256) not in new and named[_name(m)] < SAME_NAME:
            named[_name(m)] += 1
            kept.append(m)
    loads = [m.load or earlier.load for m in kept]
    marked = [
        dataclasses.replace(m, load=None if load == table.load else load, made=m.made or earlier.made)
        for m, load in zip(kept, loads, strict=True)
    ]
    return dataclasses.replace(table, measured=(*table.measured, *marked))


def why_not_kept(path: Path) -> str:
    """What is wrong with the file at ``path`` as a table to add to; empty if nothing is, or if there is none."""
    if not path.exists():
        return ""
    try:
        return why_not_here(read_table(path), path)
    except TableError as error:
        return str(error)


def _name(m: Measured) -> tuple[str, str, str]:
    return m.model, m.precision, m.runtime


def save_table(table: DeviceTable, path: Path) -> None:
    """Write atomically; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as temporary:
        temporary.write_text(HEADER + tomli_w.dumps(_plain(table)), encoding="utf-8")


def _plain(table: DeviceTable) -> dict[str, Any]:
    """TOML knows no None; times beyond a nanosecond are noise."""

    def without_none(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {
            key: round(value, 6) if isinstance(value, float) else value for key, value in pairs if value is not None
        }

    return {"format": FORMAT, **dataclasses.asdict(table, dict_factory=without_none)}
