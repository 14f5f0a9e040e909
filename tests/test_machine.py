"""Which machine this is: the processor's name wherever the system keeps it."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from pse_sdk import machine
from pse_sdk.machine import Machine, governor, this_machine, usable_cores


@pytest.fixture
def linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Linux whose files are ours."""
    monkeypatch.setattr(machine.sys, "platform", "linux")
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    for name in ("CPU_INFO", "DEVICE_TREE", "GOVERNOR"):
        monkeypatch.setattr(machine, name, tmp_path / name)
    this_machine.cache_clear()
    yield tmp_path
    this_machine.cache_clear()


def test_a_pc_names_its_processor(linux: Path) -> None:
    (linux / "CPU_INFO").write_text("processor\t: 0\nmodel name\t: Fast CPU @ 3 GHz\nprocessor\t: 1\nmodel name\t: x\n")
    assert this_machine().cpu == "Fast CPU @ 3 GHz"


def test_a_board_whose_processor_has_no_name_names_itself(linux: Path) -> None:
    (linux / "CPU_INFO").write_text("processor\t: 0\nBogoMIPS\t: 108.00\n")
    (linux / "DEVICE_TREE").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    assert this_machine().cpu == "Raspberry Pi 5 Model B Rev 1.0"


def test_a_machine_that_tells_nothing_still_has_a_description(linux: Path) -> None:
    assert str(this_machine()).startswith("unknown CPU, ")
    assert str(Machine("A", 1, "B")) == "A, 1 core, B"


def test_a_mac_is_asked_and_may_refuse(linux: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(command: list[str], **_: object) -> SimpleNamespace:
        assert command[-1] == "machdep.cpu.brand_string"
        return SimpleNamespace(stdout="Apple M9\n")

    def refuse(command: list[str], **_: object) -> SimpleNamespace:
        raise PermissionError("sandbox")

    monkeypatch.setattr(machine.sys, "platform", "darwin")
    for run, name in ((answer, "Apple M9"), (refuse, "unknown CPU")):
        monkeypatch.setattr(machine.subprocess, "run", run)
        this_machine.cache_clear()
        assert this_machine().cpu == name


def test_the_governor_is_told_where_there_is_one(linux: Path) -> None:
    assert governor() is None
    (linux / "GOVERNOR").write_text("powersave\n")
    assert governor() == "powersave"


def test_cores_are_counted_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert usable_cores() == 2
    monkeypatch.delattr(machine.os, "sched_getaffinity")
    monkeypatch.setattr(machine.psutil, "cpu_count", lambda: 7)
    assert usable_cores() == 7
