"""The edge to the outside: clocks, CPU load, battery, temperature. Nothing else that runs with a stream reads them."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

from pse_sdk.controller import Load

PERIOD_S = 0.5
# Battery, temperature and clock are read with every so many readings of the CPU load.
SENSORS_EVERY = 4
# As Linux calls the sensors of a processor; others are of disks, radios and batteries.
CPU_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu", "soc", "acpitz")
# In degrees Celsius, where a sensor does not tell.
CRITICAL = 100.0

# Three numbers: nanoseconds on a core, nanoseconds of waiting for one, and turns.
RUN_DELAY = Path("/proc/thread-self/schedstat")

T = TypeVar("T")


@dataclass(frozen=True)
class Clocks:
    """Where time comes from, in seconds: the wall, and this thread's share of a core. Tests pass their own.

    Windows counts a thread's time in ticks of 16 ms, many frames long: the wall stands for it there. ``held_off`` is
    for how long this thread was ready to run and had no core so far, of which few systems tell.
    """

    wall: Callable[[], float] = time.perf_counter
    cpu: Callable[[], float] = time.perf_counter if sys.platform == "win32" else time.thread_time
    held_off: Callable[[], float] = lambda: 0.0


def held_off_s() -> float:
    """Seconds that this thread has waited for a core so far, as Linux counts them; 0 where nobody does."""
    if sys.platform != "linux":
        return 0.0
    try:
        with RUN_DELAY.open("rb", buffering=0) as file:
            return int(file.read(64).split()[1]) * 1e-9
    except (OSError, ValueError, IndexError):
        return 0.0


class LoadMonitor:
    """Reads what the system says in a thread of its own, so that no frame waits for it.

    The CPU load is read twice a second; battery, temperature and clock every two seconds. The thread starts with
    `start` and ends with `stop`, with the process, or when the monitor is forgotten.
    """

    def __init__(self, period_s: float = PERIOD_S) -> None:
        self.load = Load()
        self._period_s = period_s
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch, where nobody does: also in a process that was forked, which has no threads of its parent."""
        if self._thread is None or not self._thread.is_alive():
            self._stopping = threading.Event()  # its own: a thread told to stop may not have noticed yet
            arguments = (weakref.ref(self), self._stopping, self._period_s)
            thread = threading.Thread(target=_watch, args=arguments, name="pse-load", daemon=True)
            # Where no further thread can be had, audio goes on without knowing the load.
            with contextlib.suppress(RuntimeError):
                thread.start()
                self._thread = thread

    def stop(self) -> None:
        self._stopping.set()
        self._thread = None
        self.load = Load()  # what was read will soon be untrue


def read_load() -> Load:
    """CPU load since the last call, battery, temperature and clock. What the system denies or lacks is None."""
    return dataclasses.replace(read_sensors(), cpu=_read_cpu())


def read_sensors() -> Load:
    """All but the CPU load: what changes slowly, and takes the system up to tens of milliseconds to tell."""
    # Some systems lack the functions, not only the figures: they are looked up where that is caught.
    battery = _told(lambda: psutil.sensors_battery())
    temperatures = _told(lambda: psutil.sensors_temperatures())
    clock = _told(lambda: psutil.cpu_freq())
    return Load(
        battery=None if battery is None else battery.percent / 100,
        plugged=None if battery is None else battery.power_plugged,
        heat=_heat(temperatures or {}),
        clock=clock.current / clock.max if clock is not None and clock.max and clock.current else None,
    )


def _read_cpu() -> float | None:
    percent = _told(lambda: psutil.cpu_percent(interval=None))
    return None if percent is None else percent / 100


def _told(ask: Callable[[], T]) -> T | None:
    # psutil reads what kernels and firmware write: containers deny it, and odd contents raise whatever parsing raises.
    try:
        return ask()
    except Exception:
        return None


def _heat(temperatures: Mapping[str, Sequence[Any]]) -> float | None:
    """The hottest processor sensor's temperature over its critical one; no other part's."""
    found = [
        sensor.current / (sensor.critical if sensor.critical and 60 <= sensor.critical <= 130 else CRITICAL)
        for name, sensors in temperatures.items()
        if name.startswith(CPU_SENSORS)
        for sensor in sensors
        if sensor.current and 0 < sensor.current < 150  # sensors that are not connected tell absurd figures
    ]
    return max(found, default=None)


def _watch(monitor: weakref.ref[LoadMonitor], stopping: threading.Event, period_s: float) -> None:
    _read_cpu()  # the first reading has nothing to compare with
    for turn in itertools.count():
        if turn % SENSORS_EVERY == 0:
            sensors = read_sensors()
        if stopping.wait(period_s):
            return
        load = dataclasses.replace(sensors, cpu=_read_cpu())
        alive = monitor()
        if alive is None or stopping.is_set():
            return
        alive.load = load
        del alive
