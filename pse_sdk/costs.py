"""What a frame is expected to cost at each depth, before any was measured in this process."""

from __future__ import annotations

import warnings

from pse_sdk.cost_model import assumed_costs
from pse_sdk.errors import DeviceTableWarning
from pse_sdk.runtimes.base import Runtime
from pse_sdk.runtimes.bundled import checksum
from pse_sdk.runtimes.select import PREFERENCE
from pse_sdk.table_reader import usable_table


def expected_costs(runtime: Runtime) -> list[float]:
    """Seconds per frame at depth 1..L: the device table's where it knows this file in this runtime.

    A table that does not is ignored with a `DeviceTableWarning`; then the costs follow from the model's size.
    """
    d = runtime.description
    table = usable_table() if runtime.name in PREFERENCE else None  # nobody can measure others
    if table is not None and runtime.path is not None:
        measured = table.find(runtime.name, checksum(runtime.path))
        if measured is not None and len(measured.costs_s) == d.blocks:
            return measured.costs_s
        warnings.warn(
            f"device table ignored: it does not know this file of model {d.name!r} in runtime {runtime.name!r}; "
            "`pse profile-device --model ...` adds it", DeviceTableWarning, stacklevel=1,
        )  # fmt: skip
    return assumed_costs(d.macs_per_second, d.hop_seconds, d.precision)
