"""Device tables for tests: of this machine, with plausible figures unless told otherwise."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pse_sdk.device_table import DeviceTable, Measured, Timing
from pse_sdk.machine import this_machine


def make_timing(depth: int, condition: str = "paced", ms: float = 0.5, **changes: object) -> Timing:
    wall_and_cpu = tuple(round(factor * ms, 6) for factor in (1, 1.1, 1.5, 3)) * 2
    return dataclasses.replace(Timing(depth, condition, 100, *wall_and_cpu, late=0.0), **changes)


def make_measured(costs_ms: Sequence[float] = (0.2, 0.3, 0.4), **changes: object) -> Measured:
    timings = tuple(
        make_timing(depth, condition, ms)
        for condition in ("paced", "hot")
        for depth, ms in enumerate(costs_ms, 1)
    )  # fmt: skip
    measured = Measured("small", "0" * 64, "int8", "onnx", "1.0", 10.0, 200.0, 60.0, 55.0, timings)
    return dataclasses.replace(measured, **changes)


def make_device_table(*measured: Measured, **changes: object) -> DeviceTable:
    table = DeviceTable(
        this_machine(), "0.1.0", "2026-01-31T12:00:00+00:00", "powersave", "mains", 0.02, "2 competing processes",
        measured or (make_measured(),),
    )  # fmt: skip
    return dataclasses.replace(table, **changes)
