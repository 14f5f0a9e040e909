"""Energy counters: packages only, around the end of the counter, and a reason where there are none."""

from pathlib import Path

import pytest

from pse_sdk.profiling.energy import EnergyMeter

RANGE = 1_000_000_000


class Counters:
    """Powercap files of two packages, a part of one, and the whole board."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        names = {
            "intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:1": "package-1", "intel-rapl:2": "psys"
        }  # fmt: skip
        for name, kind in names.items():
            (folder / name).mkdir()
            (folder / name / "name").write_text(f"{kind}\n")
            (folder / name / "max_energy_range_uj").write_text(f"{RANGE}\n")
            self.set(name, 0)

    def set(self, name: str, microjoules: int) -> None:
        (self.folder / name / "energy_uj").write_text(f"{microjoules}\n")


@pytest.fixture
def counters(tmp_path: Path) -> Counters:
    return Counters(tmp_path)


def test_packages_add_up_and_their_parts_do_not_count_twice(counters: Counters) -> None:
    meter = EnergyMeter(counters.folder)
    assert (meter.missing, meter.read_j()) == (None, 0)
    counters.set("intel-rapl:0", 3_000_000)
    counters.set("intel-rapl:0:0", 2_000_000)
    counters.set("intel-rapl:1", 1_000_000)
    counters.set("intel-rapl:2", 9_000_000)
    assert meter.read_j() == pytest.approx(4)


def test_a_counter_that_starts_again_goes_on(counters: Counters) -> None:
    counters.set("intel-rapl:0", RANGE - 500_000)
    meter = EnergyMeter(counters.folder)
    meter.read_j()
    counters.set("intel-rapl:0", 500_000)
    assert meter.read_j() == pytest.approx(1)


def test_what_idling_uses_is_left_out(counters: Counters) -> None:
    meter = EnergyMeter(counters.folder)
    meter.measure_idle(2.0, sleep=lambda seconds: counters.set("intel-rapl:0", int(5e6 * seconds)))
    before = meter.read_j()
    counters.set("intel-rapl:0", int(5e6 * 2 + 18e6))
    assert meter.above_idle_j(before, seconds=3.0) == pytest.approx(18 - 5 * 3)


def test_a_system_without_counters_says_so(tmp_path: Path) -> None:
    meter = EnergyMeter(tmp_path)
    assert "no energy counters" in (meter.missing or "")
    meter.measure_idle(1.0, sleep=lambda _: None)
    assert meter.read_j() is None
    assert meter.above_idle_j(None, 1.0) is None


def test_counters_that_may_not_be_read_say_so(counters: Counters, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_text

    def deny(self: Path, **how: object) -> str:
        if self.name == "energy_uj":
            raise PermissionError("denied")
        return read(self, **how)

    monkeypatch.setattr(Path, "read_text", deny)
    assert "may be read by root only" in (EnergyMeter(counters.folder).missing or "")


def test_counters_that_hold_no_number_say_so(counters: Counters) -> None:
    (counters.folder / "intel-rapl:1" / "energy_uj").write_text("unknown")
    assert "cannot be read" in (EnergyMeter(counters.folder).missing or "")
