"""Which machine this is: figures that were measured on one say nothing of another."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

CPU_INFO = Path("/proc/cpuinfo")
DEVICE_TREE = Path("/proc/device-tree/model")
GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


@dataclass(frozen=True)
class Machine:
    """What tells one kind of machine from another.

    Parameters
    ----------
    cpu : the processor's name, or on boards that have none the board's
    cores : logical ones
    system : operating system and instruction set, such as ``Linux x86_64``
    """

    cpu: str
    cores: int
    system: str

    def __str__(self) -> str:
        return f"{self.cpu}, {self.cores} {'core' if self.cores == 1 else 'cores'}, {self.system}"


@cache
def this_machine() -> Machine:
    """The machine that this process runs on; asked of the system once."""
    system = f"{platform.system()} {platform.machine()}"
    cpu = "".join(filter(str.isprintable, _cpu_name() or "")) or "unknown CPU"
    return Machine(cpu, psutil.cpu_count() or 1, system)


def usable_cores() -> int:
    """Cores that this process may run on: in a container often fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return psutil.cpu_count() or 1


def governor() -> str | None:
    """The policy by which Linux chooses the clock, such as ``performance`` or ``powersave``; None where not told."""
    return _read(GOVERNOR)


def _cpu_name() -> str | None:
    if sys.platform == "darwin":
        return _ask_macos()
    named = [line.split(":", 1)[1].strip() for line in (_read(CPU_INFO) or "").splitlines() if "model name" in line]
    return (named[0] if named else None) or _read(DEVICE_TREE) or platform.processor() or None


def _ask_macos() -> str | None:
    command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or None
    except OSError:  # a sandbox
        return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip(" \n\0") or None
    except OSError:
        return None
