"""Trace files: what was written is read again, and anything else is refused in one clear line."""

import contextlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_sdk.errors import PseError, TraceError
from pse_sdk.simulate import LIBRARY, LoadTrace, load_trace, save_trace, synthetic_trace


def small(**changes: object) -> LoadTrace:
    values = {
        "name": "small",
        "hop_s": 0.01,
        "costs_s": np.array([1e-3, 2e-3]),
        "expected_s": np.array([1e-3, 2e-3]),
        "slowdown": np.array([1.0, 2.0, 1.0]),
        "stall_s": np.array([0.0, 4e-3, 4e-3]),
        "stall_at": np.array([0.5, 0.4, 0.6]),
        "wait_s": np.array([0.0, 0.0, 3e-3]),
        "cpu_load": np.array([np.nan, 0.5, 1.0]),
        "loaded": np.array([False, True, True]),
    }
    return LoadTrace(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    save_trace(small(note="by hand"), tmp_path / "small.npz")
    return tmp_path / "small.npz"


def rewrite(path: Path, name: str, content: bytes | None) -> None:
    """Replace a member of the archive, or leave it out."""
    with zipfile.ZipFile(path) as archive:
        members = {entry: archive.read(entry) for entry in archive.namelist()}
    members.pop(f"{name}.npy")
    if content is not None:
        members[f"{name}.npy"] = content
    with zipfile.ZipFile(path, "w") as archive:
        for entry, data in members.items():
            archive.writestr(entry, data)


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def test_what_was_saved_is_loaded(file: Path) -> None:
    loaded, saved = load_trace(file), small(note="by hand")
    assert (loaded.name, loaded.hop_s, loaded.note) == (saved.name, saved.hop_s, saved.note)
    for field in ("costs_s", "expected_s", "slowdown", "stall_s", "stall_at", "wait_s", "cpu_load", "loaded"):
        np.testing.assert_array_equal(getattr(loaded, field), getattr(saved, field))


def test_a_stall_is_met_only_by_depths_that_run_long_enough() -> None:
    wall, cpu = small().times()
    np.testing.assert_allclose(cpu, [[0, 1e-3, 2e-3], [0, 2e-3, 4e-3], [0, 1e-3, 2e-3]])
    np.testing.assert_allclose(wall - cpu, [[0, 0, 0], [0, 4e-3, 4e-3], [0, 0, 4e-3]], atol=1e-12)


@pytest.mark.parametrize("name", LIBRARY)
def test_a_synthetic_trace_is_the_same_at_every_call_and_another_for_another_seed(name: str) -> None:
    first, again, other = synthetic_trace(name), synthetic_trace(name), synthetic_trace(name, seed=1)
    np.testing.assert_array_equal(first.times()[0], again.times()[0])
    assert (first.slowdown != other.slowdown).all()
    assert first.name == name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hop_s": 0.0}, "hop_s = 0.0: must be from 0.001 to 1"),
        ({"hop_s": 1e-7}, "hop_s = 1e-07: must be from 0.001 to 1"),
        ({"slowdown": np.array([1.0, -2.0, 1.0])}, r"slowdown\[1\] = -2.0 is out of range"),
        ({"slowdown": np.array([1.0, np.nan, 1.0])}, r"slowdown\[1\] = nan is out of range"),
        ({"stall_s": np.array([0.0, 0.0])}, "stall_s has 2 values, expected 3"),
        ({"wait_s": np.array([0.0, -1.0, 0.0])}, r"wait_s\[1\] = -1.0"),
        ({"stall_at": np.array([0.0, 0.0, 1.5])}, r"stall_at\[2\]"),
        ({"costs_s": np.array([2e-3, 1e-3])}, r"costs_s\[1\]"),
        ({"cpu_load": np.array([0.0, 2.0, 0.0])}, r"cpu_load\[1\]"),
        ({"costs_s": np.array([]), "expected_s": np.array([])}, "it is empty"),
        ({"costs_s": np.arange(1.0, 66), "expected_s": np.ones(65)}, "it has 65 depths, more than 64"),
        ({"slowdown": np.array([1.0, 1e308, 1.0])}, r"slowdown\[1\] = 1e\+308 is out of range"),
        ({"costs_s": np.array([1e-3, 1e10])}, r"costs_s\[1\]"),
        ({"costs_s": np.array([1e-300, 1e-3])}, r"costs_s\[0\]"),
        ({"expected_s": np.array([1e-300, 1e-3])}, r"expected_s\[0\]"),
        ({"slowdown": np.array([1.0, 1e-300, 1.0])}, r"slowdown\[1\] = 1e-300 is out of range"),
    ],
    ids=str,
)
def test_values_that_no_machine_shows_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(TraceError, match=f"trace small: {message}"):
        small(**changes)


def test_a_file_with_such_values_is_refused_by_name(file: Path) -> None:
    rewrite(file, "slowdown", npy(np.array([1.0, np.inf, 1.0])))
    with pytest.raises(TraceError, match=r"small\.npz: trace small: slowdown\[1\] = inf"):
        load_trace(file)


@pytest.mark.parametrize(
    ("member", "content"),
    [
        ("slowdown", None),
        ("slowdown", npy(np.ones((3, 1)))),
        ("slowdown", npy(np.array(["a", "b", "c"]))),
        ("loaded", npy(np.zeros(3))),
        ("head", npy(np.array("no JSON"))),
        ("head", npy(np.array("[]"))),
        ("head", npy(np.array(json.dumps({"format": "something else"})))),
        ("head", npy(np.array(json.dumps({"format": "pse-load-trace", "version": 1})))),
        ("slowdown", b"no array"),
    ],
)
def test_a_tampered_or_foreign_archive_is_refused(file: Path, member: str, content: bytes | None) -> None:
    rewrite(file, member, content)
    with pytest.raises(TraceError, match=r"small\.npz: not a load trace, or a damaged one .*`pse record-load`"):
        load_trace(file)


@given(at=st.integers(0, 10_000), to=st.integers(0, 255))
def test_whatever_byte_is_changed_nothing_but_our_error_comes_out(tmp_path: Path, at: int, to: int) -> None:
    save_trace(small(), tmp_path / "x.npz")
    data = bytearray((tmp_path / "x.npz").read_bytes())
    data[at % len(data)] = to
    (tmp_path / "x.npz").write_bytes(data)
    with contextlib.suppress(TraceError):
        assert load_trace(tmp_path / "x.npz").frames == 3


def test_whatever_byte_of_an_arrays_header_is_changed_nothing_but_our_error_comes_out(file: Path) -> None:
    original = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        header = bytearray(archive.read("slowdown.npy"))
    for at in range(6, 80):
        for to in (0, ord("("), ord("'"), ord("9"), 0xFF):
            changed = header.copy()
            changed[at] = to
            rewrite(file, "slowdown", bytes(changed))
            with contextlib.suppress(TraceError):
                load_trace(file)
            file.write_bytes(original)


def test_a_number_that_no_float_holds_is_damage(file: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        head = json.loads(str(np.load(io.BytesIO(archive.read("head.npy")))))
    rewrite(file, "head", npy(np.array(json.dumps({**head, "hop_s": 10**400}))))
    with pytest.raises(TraceError, match="damaged"):
        load_trace(file)


class Trap:
    """Pickled, it would touch a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.path,)  # type: ignore[return-value]


def test_nothing_in_a_file_is_executed(file: Path, tmp_path: Path) -> None:
    rewrite(file, "slowdown", npy(np.array([Trap(tmp_path / "sprung")], object)))
    with pytest.raises(TraceError, match="not a load trace"):
        load_trace(file)
    assert not (tmp_path / "sprung").exists()


def test_a_trace_of_the_first_version_knows_no_waits(file: Path) -> None:
    rewrite(file, "wait_s", None)
    head = {"format": "pse-load-trace", "version": 1, "name": "old", "hop_s": 0.01, "note": ""}
    rewrite(file, "head", npy(np.array(json.dumps(head))))
    np.testing.assert_array_equal(load_trace(file).wait_s, np.zeros(3))


def test_a_newer_format_asks_for_a_newer_package(file: Path) -> None:
    rewrite(file, "head", npy(np.array(json.dumps({"format": "pse-load-trace", "version": 3}))))
    with pytest.raises(TraceError, match=r"small\.npz: trace format 3, .*update pse-sdk"):
        load_trace(file)


@pytest.mark.parametrize("content", [b"", b"slowdown,stall\n1,2\n", b"PK\x03\x04 and then nothing"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(TraceError, match=r"x\.npz: not a load trace"):
        load_trace(tmp_path / "x.npz")


def test_a_truncated_file_is_refused(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(TraceError, match="not a load trace"):
        load_trace(file)


def test_a_missing_file_and_a_missing_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"gone\.npz: no such file"):
        load_trace(tmp_path / "gone.npz")
    with pytest.raises(PseError, match="there is no folder"):
        save_trace(small(), tmp_path / "no" / "x.npz")
    with pytest.raises(TraceError, match=r"ends in \.npz"):
        save_trace(small(), tmp_path / "x.pickle")
