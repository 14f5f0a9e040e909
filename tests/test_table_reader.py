"""Reading a device table: what was written is read; what cannot be used is ignored with a word, never an exception."""

import os
import re
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_sdk.errors import PseWarning, TableError
from pse_sdk.machine import Machine
from pse_sdk.profiling.save import save_table
from pse_sdk.table_reader import FORMAT, MAX_BYTES, read_table, usable_table
from tests.tables import make_device_table, make_measured, make_timing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good table."""
    save_table(make_device_table(), tmp_path / "device.toml")
    return tmp_path / "device.toml"


def quietly(path: Path) -> object:
    """`usable_table` where a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return usable_table(path)


texts = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=20)
times = st.floats(1e-3, 1e4).map(lambda ms: round(ms, 6))


@given(texts, st.lists(times, min_size=1, max_size=8), st.none() | texts, st.none() | st.floats(-5, 5))
def test_what_was_written_is_read(
    tmp_path: Path, name: str, costs: list[float], governor: str | None, energy: float | None
) -> None:
    energy = None if energy is None else round(energy, 6)
    timings = tuple(make_timing(d, ms=1.0, wall_p50_ms=ms, energy_mj=energy) for d, ms in enumerate(costs, 1))
    table = make_device_table(
        make_measured(model=name, timings=timings), make_measured(runtime="tflite"), governor=governor
    )
    save_table(table, tmp_path / "a.toml")
    assert read_table(tmp_path / "a.toml") == table


def test_this_machines_table_is_used_without_a_word(path: Path) -> None:
    assert quietly(path) == make_device_table()


def test_no_table_is_no_reason_for_a_word(tmp_path: Path) -> None:
    assert quietly(tmp_path / "none.toml") is None


@pytest.mark.parametrize(
    "machine", [Machine("Another CPU", 2, "Linux x86_64"), Machine(make_device_table().machine.cpu, 999, "BeOS ppc")]
)
def test_a_table_of_another_machine_is_ignored_with_one_notice(path: Path, machine: Machine) -> None:
    save_table(make_device_table(machine=machine), path)
    with pytest.warns(PseWarning, match="made on another machine") as told:
        assert usable_table(path) is None
    assert len(told) == 1


def test_python_shows_the_notice_once_however_often_the_table_is_read(path: Path) -> None:
    path.write_text("format = 0")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        for _ in range(3):
            usable_table(path)
    assert len(told) == 1


@pytest.mark.parametrize("version", ["0", str(FORMAT + 1), "1.5", "'1'", "nan", "[]", "true"])
def test_a_table_of_another_format_is_ignored_with_one_notice(path: Path, version: str) -> None:
    path.write_text(path.read_text().replace(f"format = {FORMAT}", f"format = {version}"))
    with pytest.warns(PseWarning, match=f"this pse-sdk reads format {FORMAT}; `pse profile-device` makes it anew"):
        assert usable_table(path) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("wall_p50_ms", "nan"), ("wall_p50_ms", "inf"), ("wall_p50_ms", "-1.0"), ("wall_p50_ms", "0"),
        ("wall_p50_ms", "'fast'"), ("wall_p50_ms", "1e300"), ("wall_p50_ms", "1" + "0" * 400), ("wall_p50_ms", "true"),
        ("wall_p99_ms", "[]"), ("cpu_max_ms", "2026-01-31"), ("late", "-0.5"), ("late", "7.0"), ("depth", "0"),
        ("depth", "1.0"), ("depth", "7"), ("condition", "'tepid'"), ("condition", "3"), ("hop_ms", "0"),
        ("sha256", "12"), ("cores", "'two'"), ("cpu", "nan"), ("busy", "'very'"), ("made", "2026-01-31"),
        ("governor", "5"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_named_and_the_table_ignored(path: Path, key: str, value: str) -> None:
    lines = path.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(f"{key} = "))
    path.write_text("\n".join([*lines[:at], f"{key} = {value}", *lines[at + 1 :]]))
    with pytest.warns(PseWarning, match=r"device\.toml: damaged \(.+\); `pse profile-device` makes it anew"):
        assert usable_table(path) is None


@given(st.floats(0, 1))
def test_a_truncated_table_is_ignored_or_holds_only_good_figures(path: Path, part: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        table = usable_table(path)
    path.write_bytes(whole)
    assert table is None or all(cost > 0 for measured in table.measured for cost in measured.costs_s)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.warns(PseWarning, match="device table ignored"):
        assert usable_table(path) is None


@pytest.mark.parametrize("content", ["x = " + "[" * 100_000, "#" * (MAX_BYTES + 1), "measured = 5\nformat = 1"])
def test_absurd_files_are_ignored(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.warns(PseWarning, match="device table ignored"):
        assert usable_table(path) is None


HUGE = f"0x{'f' * 5000}"


@pytest.mark.parametrize("key", ["format", "busy", "hop_ms", "frames", "cores", "made"])
def test_a_whole_number_that_python_does_not_write_is_damage(path: Path, key: str) -> None:
    path.write_text(re.sub(rf"^{key} = .*$", f"{key} = {HUGE}", path.read_text(), count=1, flags=re.MULTILINE))
    assert HUGE in path.read_text()
    with pytest.raises(TableError, match=r"device\.toml: .* an int that is too large"):
        read_table(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_what_is_not_a_file_is_ignored(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    for path in (tmp_path, tmp_path / "pipe.toml"):
        with pytest.warns(PseWarning, match="is not a file"):
            assert usable_table(path) is None


def test_a_table_that_is_read_by_name_tells_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"gone\.toml: no such file"):
        read_table(tmp_path / "gone.toml")


def test_a_user_without_a_home_has_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object, **__: object) -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("pse_sdk.table_reader.platformdirs.user_data_path", nowhere)
    with pytest.warns(PseWarning, match="no place for a device table"):
        assert usable_table() is None


def test_a_cost_that_cannot_be_divided_by_is_damage(path: Path) -> None:
    path.write_text(re.sub(r"wall_p50_ms = \S+", "wall_p50_ms = 1e-322", path.read_text(), count=1))
    with pytest.raises(TableError, match="wall_p50_ms"):
        read_table(path)
