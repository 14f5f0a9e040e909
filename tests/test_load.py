"""The load monitor: reads in the background, ends by itself, and says None for what the system does not tell."""

import gc
import threading
import time

import psutil
import pytest

from pse_sdk.load import LoadMonitor, read_load


def watchers() -> int:
    return sum(thread.name == "pse-load" for thread in threading.enumerate())


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
    assert watchers() == before + 1
    assert wait_for(lambda: monitor.load.cpu is not None)
    monitor.stop()
    assert wait_for(lambda: watchers() == before)


def test_a_forgotten_monitor_ends_its_thread() -> None:
    before = watchers()
    monitor = LoadMonitor(period_s=0.01)
    monitor.start()
    del monitor
    gc.collect()
    assert wait_for(lambda: watchers() == before)


@pytest.mark.parametrize("error", [psutil.AccessDenied(), OSError("denied"), AttributeError("no battery here")])
def test_what_the_system_denies_is_none(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def deny(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(psutil, "sensors_battery", deny, raising=False)
    if not isinstance(error, AttributeError):
        monkeypatch.setattr(psutil, "cpu_percent", deny)
    load = read_load()
    assert load.battery is None
    assert load.plugged is None


def test_the_battery_is_read_as_a_share(monkeypatch: pytest.MonkeyPatch) -> None:
    class Battery:
        percent, power_plugged = 42.0, False

    monkeypatch.setattr(psutil, "sensors_battery", Battery, raising=False)
    assert (read_load().battery, read_load().plugged) == (0.42, False)
