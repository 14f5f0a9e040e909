"""A load of one's own making: processes that compete for the cores and caches while frames are timed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from pse_sdk.errors import UsageError

# How programs for `python -c` begin: without this they import from the folder that the user stands in.
INSTALLED_ONLY = "import sys; sys.path[:] = [folder for folder in sys.path if folder]\n"

# Copies memory of the size of a cache for ever, and ends with its parent: with the pipe that it reads from.
# It says who it is: on Windows the Python of a virtual environment only starts another one.
# Ctrl-C in the terminal reaches it too, and is its parent's to answer.
COMPETITOR = """
import os, signal, sys, threading
signal.signal(signal.SIGINT, signal.SIG_IGN)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
here = bytearray(4 << 20)
there = bytes(here)
print(os.getpid(), flush=True)
while True:
    for _ in range(100):
        here[:] = there
"""


@dataclass(frozen=True)
class Competition:
    """How many processes compete, how politely, and on which cores.

    Parameters
    ----------
    processes : how many; 0 for none
    nice : 0 as everybody, up to 19 for what stands back; on Windows anything above 0 is "below normal"
    cores : that they may run on; all if empty
    """

    processes: int
    nice: int = 0
    cores: tuple[int, ...] = ()

    def __str__(self) -> str:
        if not self.processes:
            return "none"
        many = "1 competing process" if self.processes == 1 else f"{self.processes} competing processes"
        where = f" on core{'s' * (len(self.cores) > 1)} {', '.join(map(str, self.cores))}" if self.cores else ""
        return f"{many} at nice {self.nice}{where}"


@contextmanager
def competing(competition: Competition) -> Iterator[None]:
    """The competitors run within the block. Raises `UsageError` for a nice level or cores that the system refuses."""
    running: list[subprocess.Popen[str]] = []
    try:
        for _ in range(competition.processes):
            running.append(_start())
        for process in running:
            assert process.stdout is not None
            number = process.stdout.readline()
            if not number:
                raise UsageError("a competing process ended by itself: measure without load (--load 0)")
            _place(psutil.Process(int(number)), competition)
        yield
    finally:
        for process in running:
            process.kill()
            process.communicate()


def own_nice() -> int:
    """The level of the process that asks: only root can have competitors at a lower one."""
    return 0 if sys.platform == "win32" else os.nice(0)


def _start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", INSTALLED_ONLY + COMPETITOR], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _place(process: psutil.Process, competition: Competition) -> None:
    try:
        process.nice(_priority(competition.nice))
    except (psutil.Error, OSError) as error:
        allowed = f"choose {own_nice()} to 19"
        raise UsageError(f"nice level {competition.nice} is not allowed here ({error}): {allowed}") from error
    if competition.cores:
        _pin(process, competition.cores)


def _pin(process: psutil.Process, cores: Sequence[int]) -> None:
    try:
        process.cpu_affinity(list(cores))
    except AttributeError:
        raise UsageError("this system cannot keep processes on chosen cores: leave the cores out") from None
    except (psutil.Error, OSError, ValueError) as error:
        raise UsageError(f"cores {', '.join(map(str, cores))}: {error}") from error


def _priority(nice: int) -> int:
    if sys.platform == "win32":
        return psutil.BELOW_NORMAL_PRIORITY_CLASS if nice > 0 else psutil.NORMAL_PRIORITY_CLASS
    return nice
