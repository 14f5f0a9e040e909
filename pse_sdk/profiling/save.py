"""Make a device table of what was measured, and write it. Apart from reading: apps only read."""

from __future__ import annotations

import dataclasses
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
from pse_sdk.table_reader import FORMAT, read_table

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
    """``table`` with what the one at ``path`` knows of other models and runtimes, if that is of this machine.

    What was measured under another load than ``table`` says so of itself.
    """
    try:
        earlier = read_table(path)
    except TableError:
        return table
    if earlier.machine != table.machine:
        return table
    new = {(m.model, m.precision, m.runtime) for m in table.measured}
    kept = [m for m in earlier.measured if (m.model, m.precision, m.runtime) not in new]
    loads = [m.load or earlier.load for m in kept]
    with_loads = [
        dataclasses.replace(m, load=None if load == table.load else load) for m, load in zip(kept, loads, strict=True)
    ]
    return dataclasses.replace(table, measured=(*table.measured, *with_loads))


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
