"""`profile="auto"`: which profile the power supply asks for. A pure function of readings and time.

| supply | profile |
|---|---|
| mains, or no battery at all | `balanced`; `quality` while the machine is otherwise idle and cool |
| battery | `battery` |
| battery, low | `battery` with one block |
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import Enum
from functools import cache

from pse_sdk.controller import Load
from pse_sdk.profiles import Profile, load_profile
from pse_sdk.thermal import COOL, HOT

AUTO = "auto"
# From battery to mains only when it stays plugged: a loose plug must not be heard. The other way at once.
PLUGGED_S = 3.0
# Charge under which, and from which on again, the battery is low and is not.
LOW, NO_LONGER_LOW = 0.2, 0.25
# `quality` begins after CALM_S with less CPU load (all cores) than CALM and ends at BUSY. It may itself add 0.7 of one
# core, so CALM + 0.7 < BUSY keeps a machine with a single core from going to and fro.
CALM, BUSY, CALM_S = 0.15, 0.9, 5.0


class Supply(Enum):
    """What the machine lives on, and how well."""

    PLENTY = "quality"
    MAINS = "balanced"
    BATTERY = "battery"
    LOW = "low battery"


@dataclass(frozen=True)
class PowerState:
    """The supply that is believed, and for how long readings have spoken for a better one."""

    supply: Supply
    better_s: float = 0.0


def first_state(load: Load) -> PowerState:
    """The state before a stream begins: what one reading says."""
    if load.plugged is not False:
        return PowerState(Supply.MAINS)
    return PowerState(Supply.LOW if _is_low(load, LOW) else Supply.BATTERY)


def follow(before: PowerState, load: Load, seconds: float) -> PowerState:
    """The state after ``seconds`` more of the present readings. What is not told any more changes nothing."""
    if load.plugged is False:
        return _on_battery(before, load)
    if before.supply in (Supply.BATTERY, Supply.LOW):
        return _later(before, Supply.MAINS, seconds, PLUGGED_S) if load.plugged else before
    hot = load.heat is not None and load.heat >= HOT
    if before.supply is Supply.PLENTY:
        busy = load.cpu is not None and load.cpu >= BUSY
        return PowerState(Supply.MAINS) if hot or busy else before
    calm = load.cpu is not None and load.cpu <= CALM and (load.heat is None or load.heat < COOL)
    return _later(before, Supply.PLENTY, seconds, CALM_S) if calm else PowerState(Supply.MAINS)


@cache
def profile_for(supply: Supply, blocks: int) -> Profile:
    """The built-in profile of a supply, for a model with so many blocks. Its name says how it came about.

    Read from its file once: a stream changes between these while audio runs.
    """
    low = supply is Supply.LOW
    profile = load_profile("battery" if low else supply.value)
    deepest = 1 if low else min(profile.max_depth, blocks)
    return dataclasses.replace(profile, name=f"{AUTO}: {supply.value}", max_depth=deepest)


def _on_battery(before: PowerState, load: Load) -> PowerState:
    low = _is_low(load, NO_LONGER_LOW if before.supply is Supply.LOW else LOW)
    return PowerState(Supply.LOW if low else Supply.BATTERY)


def _is_low(load: Load, limit: float) -> bool:
    return load.battery is not None and load.battery < limit


def _later(before: PowerState, better: Supply, seconds: float, needed_s: float) -> PowerState:
    lasted = before.better_s + seconds
    return PowerState(better) if lasted >= needed_s else PowerState(before.supply, lasted)
