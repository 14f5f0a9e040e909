"""Writing the table: this machine's, complete or not at all, and without forgetting other models."""

import dataclasses
from pathlib import Path

import pytest

from pse_sdk.load import Load
from pse_sdk.machine import Machine, this_machine
from pse_sdk.profiling import save as module
from pse_sdk.profiling.competitors import Competition
from pse_sdk.profiling.save import add_earlier, make_table, save_table
from pse_sdk.table_reader import read_table
from tests.tables import make_device_table, make_measured


@pytest.mark.parametrize(("plugged", "power"), [(None, None), (True, "mains"), (False, "battery")])
def test_a_table_names_this_machine_and_how_it_was_measured(
    monkeypatch: pytest.MonkeyPatch, plugged: bool | None, power: str | None
) -> None:
    monkeypatch.setattr(module, "read_sensors", lambda: Load(plugged=plugged))
    table = make_table([make_measured()], 0.25, Competition(2, 5))
    assert table.machine == this_machine()
    assert (table.power, table.busy, table.load) == (power, 0.25, "2 competing processes at nice 5")
    assert table.measured == (make_measured(),)


def test_other_models_and_runtimes_stay_known_and_the_same_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "device.toml"
    old, other = make_measured([0.9]), make_measured(runtime="tflite")
    save_table(make_device_table(old, other), path)
    new = make_measured([0.5])
    first, second = add_earlier(make_device_table(new), path).measured
    assert (first, dataclasses.replace(second, made=None)) == (new, other)


def test_of_files_of_one_name_the_last_three_stay_known(tmp_path: Path) -> None:
    path = tmp_path / "device.toml"
    for name in "abcd":
        save_table(add_earlier(make_device_table(make_measured(sha256=name)), path), path)
    assert [m.sha256 for m in read_table(path).measured] == ["d", "c", "b"]


def test_what_was_measured_under_another_load_says_so(tmp_path: Path) -> None:
    path, other = tmp_path / "device.toml", make_measured(runtime="tflite")
    save_table(dataclasses.replace(make_device_table(other), load="two competing processes"), path)
    table = add_earlier(dataclasses.replace(make_device_table(make_measured()), load="none"), path)
    assert [m.load for m in table.measured] == [None, "two competing processes"]
    save_table(table, path)
    assert read_table(path) == table
    again = add_earlier(dataclasses.replace(make_device_table(make_measured()), load="two competing processes"), path)
    assert [m.load for m in again.measured] == [None, None]


def test_what_an_earlier_run_measured_says_when(tmp_path: Path) -> None:
    path, old = tmp_path / "device.toml", make_measured(runtime="tflite")
    save_table(dataclasses.replace(make_device_table(old), made="2020-01-01"), path)
    for made in ("2021-01-01", "2022-01-01"):
        table = add_earlier(dataclasses.replace(make_device_table(make_measured()), made=made), path)
        save_table(table, path)
        assert [m.made for m in read_table(path).measured] == [None, "2020-01-01"]


def test_what_another_machine_measured_or_what_is_damaged_is_replaced(tmp_path: Path) -> None:
    path, new = tmp_path / "device.toml", make_device_table(make_measured(model="mine"))
    save_table(make_device_table(machine=Machine("Another", 1, "Linux")), path)
    assert add_earlier(new, path) == new
    path.write_text("damaged")
    assert add_earlier(new, path) == new
    assert add_earlier(new, tmp_path / "gone.toml") == new


def test_folders_are_made_and_nothing_is_left_beside_the_table(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "device.toml"
    save_table(make_device_table(), path)
    assert [p.name for p in path.parent.iterdir()] == ["device.toml"]
    assert path.read_text().startswith("# What `pse profile-device` measured")


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "device.toml"
    save_table(make_device_table(), path)
    monkeypatch.setattr(module.tomli_w, "dumps", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_table(make_device_table(make_measured(model="mine")), path)
    assert read_table(path) == make_device_table()
    assert [p.name for p in tmp_path.iterdir()] == ["device.toml"]
