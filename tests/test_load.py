"""The load monitor: reads in the background, ends by itself, and says None for what the system does not tell."""

import gc
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

import pse_sdk.load as load_module
from pse_sdk.controller import Load
from pse_sdk.load import LoadMonitor, held_off_s, read_load, read_sensors


def watchers() -> set[threading.Thread]:
    """Those of other tests may end at any time: compare by who is new."""
    return {thread for thread in threading.enumerate() if thread.name == "pse-load"}


def wait_for(condition) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_the_load_is_read_in_the_background_until_stopped() -> None:
    before = watchers()
    monitor = LoadMonitor(period_s=0.01)
    assert monitor.load.cpu is None
    monitor.start()
    monitor.start()  # once is enough
    assert len(watchers() - before) == 1
    assert wait_for(lambda: monitor.load.cpu is not None)
    monitor.stop()
    assert wait_for(lambda: not watchers() - before)


def test_a_monitor_whose_thread_is_gone_begins_anew_as_in_a_process_that_was_forked() -> None:
    before = watchers()
    monitor = LoadMonitor(period_s=0.01)
    monitor.start()
    monitor._stopping.set()  # what fork leaves: the object, and no thread
    assert wait_for(lambda: not watchers() - before)
    monitor.start()
    assert len(watchers() - before) == 1
    monitor.stop()


def test_a_forgotten_monitor_ends_its_thread() -> None:
    before = watchers()
    monitor = LoadMonitor(period_s=0.01)
    monitor.start()
    del monitor
    gc.collect()
    assert wait_for(lambda: not watchers() - before)


@pytest.mark.parametrize("error", [psutil.AccessDenied(), OSError("denied"), AttributeError("no battery here")])
def test_what_the_system_denies_is_none(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def deny(*_: object, **__: object) -> None:
        raise error

    for sensor in ("sensors_battery", "sensors_temperatures", "cpu_freq"):
        monkeypatch.setattr(psutil, sensor, deny, raising=False)
    if not isinstance(error, AttributeError):
        monkeypatch.setattr(psutil, "cpu_percent", deny)
    load = read_load()
    assert (load.battery, load.plugged, load.heat, load.clock) == (None, None, None, None)
    assert (load.cpu is None) == (not isinstance(error, AttributeError))


def test_the_battery_is_read_as_a_share(monkeypatch: pytest.MonkeyPatch) -> None:
    class Battery:
        percent, power_plugged = 42.0, False

    monkeypatch.setattr(psutil, "sensors_battery", Battery, raising=False)
    assert (read_load().battery, read_load().plugged) == (0.42, False)


def sensors(monkeypatch: pytest.MonkeyPatch, temperatures: dict[str, list[tuple[float | None, float | None]]]) -> Load:
    readings = {
        name: [SimpleNamespace(current=current, high=None, critical=critical) for current, critical in values]
        for name, values in temperatures.items()
    }
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: readings, raising=False)
    return read_sensors()


@pytest.mark.parametrize(
    ("temperatures", "heat"),
    [
        ({"coretemp": [(70.0, 100.0), (84.0, 105.0)]}, 0.8),
        ({"k10temp": [(90.0, None)]}, 0.9),
        ({"cpu_thermal": [(45.0, 65261.85)]}, 0.45),
        ({"nvme": [(80.0, 84.8)], "coretemp": [(50.0, 100.0)]}, 0.5),
        ({"nvme": [(80.0, 84.8)]}, None),
        ({"coretemp": [(-128.0, 100.0), (None, 100.0)]}, None),
        ({}, None),
    ],
    ids=str,
)
def test_heat_is_that_of_the_hottest_processor_sensor(
    monkeypatch: pytest.MonkeyPatch, temperatures: dict, heat: float | None
) -> None:
    assert sensors(monkeypatch, temperatures).heat == (None if heat is None else pytest.approx(heat))


@pytest.mark.parametrize(
    ("current", "most", "share"), [(1800.0, 4500.0, 0.4), (2596.0, 0.0, None), (0.0, 3000.0, None)]
)
def test_the_clock_is_a_share_of_its_maximum(
    monkeypatch: pytest.MonkeyPatch, current: float, most: float, share: float | None
) -> None:
    monkeypatch.setattr(psutil, "cpu_freq", lambda: SimpleNamespace(current=current, min=0.0, max=most))
    assert read_sensors().clock == share


def test_the_monitor_reads_sensors_too(monkeypatch: pytest.MonkeyPatch) -> None:
    sensors(monkeypatch, {"coretemp": [(80.0, 100.0)]})
    monitor = LoadMonitor(period_s=0.01)
    monitor.start()
    assert wait_for(lambda: monitor.load.heat == 0.8 and monitor.load.cpu is not None)
    sensors(monkeypatch, {"coretemp": [(90.0, 100.0)]})
    assert wait_for(lambda: monitor.load.heat == 0.9)
    monitor.stop()


@pytest.mark.parametrize(("content", "seconds"), [(b"5 2500000000 7\n", 2.5), (b"", 0.0), (b"a b c", 0.0), (None, 0.0)])
def test_the_wait_for_a_core_is_read_or_none_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, seconds: float
) -> None:
    monkeypatch.setattr(load_module, "RUN_DELAY", tmp_path / "schedstat")
    if content is not None:
        (tmp_path / "schedstat").write_bytes(content)
    assert held_off_s() == seconds
