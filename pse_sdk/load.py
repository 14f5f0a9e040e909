"""The edge to the outside: clocks, CPU load and battery. Nothing else in the package reads them."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from pse_sdk.controller import Load

PERIOD_S = 0.5


@dataclass(frozen=True)
class Clocks:
    """Where time comes from, in seconds: the wall, and this thread's share of a core. Tests pass their own.

    Windows counts a thread's time in ticks of 16 ms, many frames long: the wall stands for it there.
    """

    wall: Callable[[], float] = time.perf_counter
    cpu: Callable[[], float] = time.perf_counter if sys.platform == "win32" else time.thread_time


class LoadMonitor:
    """Reads CPU load and battery twice a second in a thread of its own, so that no frame waits for it.

    The thread starts with `start` and ends with `stop`, with the process, or when the monitor is forgotten.
    """

    def __init__(self, period_s: float = PERIOD_S) -> None:
        self.load = Load()
        self._period_s = period_s
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None:
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
    """CPU load since the last call, and the battery. What the system denies or lacks is None."""
    # psutil reads what kernels and firmware write: containers deny it, and odd contents raise whatever parsing raises.
    try:
        cpu: float | None = psutil.cpu_percent(interval=None) / 100
    except Exception:
        cpu = None
    try:
        battery = psutil.sensors_battery()
        return Load(cpu, battery.percent / 100, battery.power_plugged) if battery else Load(cpu)
    except Exception:
        return Load(cpu)


def _watch(monitor: weakref.ref[LoadMonitor], stopping: threading.Event, period_s: float) -> None:
    read_load()  # the first CPU reading has nothing to compare with
    while not stopping.wait(period_s):
        load = read_load()
        alive = monitor()
        if alive is None or stopping.is_set():
            return
        alive.load = load
        del alive
