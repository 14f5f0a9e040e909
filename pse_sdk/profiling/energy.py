"""Energy of the processor package, from Linux's powercap files (RAPL), where the system lets us read them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


class EnergyMeter:
    """Counts the joules that all processor packages have used. Includes what everything else on the machine uses.

    Attributes
    ----------
    missing : why there is nothing to read; None where there is
    """

    def __init__(self, folder: Path = POWERCAP) -> None:
        # AMD's go by the same name. Beside packages there are their parts, and "psys", which contains them.
        self._packages = sorted(path for path in folder.glob("intel-rapl:*") if _is_package(path))
        self._last: dict[Path, int] = {}
        self._total_uj = 0
        self.missing = self._why_missing(folder)
        self._idle_w = 0.0

    def read_j(self) -> float | None:
        """Joules since the first reading; None where the system does not tell."""
        if self.missing is not None:
            return None
        for package in self._packages:
            now = _number(package / "energy_uj")
            before = self._last.get(package, now)
            # The counter starts again at zero when it is full.
            self._total_uj += now - before if now >= before else now - before + _number(package / "max_energy_range_uj")
            self._last[package] = now
        return self._total_uj / 1e6

    def measure_idle(self, seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
        """Take the power of the machine as it is now for the one that `above_idle_j` leaves out."""
        if self.missing is not None:
            return
        before = self.read_j()
        sleep(seconds)
        after = self.read_j()
        if before is not None and after is not None and seconds > 0:
            self._idle_w = (after - before) / seconds

    def above_idle_j(self, before: float | None, seconds: float) -> float | None:
        """Joules since ``before`` was read, ``seconds`` ago, less what idling would have used."""
        now = self.read_j()
        return None if now is None or before is None else now - before - self._idle_w * seconds

    def _why_missing(self, folder: Path) -> str | None:
        if not self._packages:
            return f"this system has no energy counters in {folder}"
        try:
            for package in self._packages:
                _number(package / "energy_uj")
                _number(package / "max_energy_range_uj")
        except PermissionError:
            return f"the energy counters in {folder} may be read by root only"
        except (OSError, ValueError) as error:
            return f"the energy counters in {folder} cannot be read ({error})"
        return None


def _is_package(path: Path) -> bool:
    try:
        return (path / "name").read_text(encoding="ascii").startswith("package")
    except (OSError, ValueError):
        return False


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))
