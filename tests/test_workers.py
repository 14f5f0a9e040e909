"""Worker processes end with the work, and at once where it fails."""

import os
import time
from collections.abc import Callable
from concurrent.futures import as_completed
from pathlib import Path

import psutil
import pytest

from pse_sdk.errors import UsageError
from pse_sdk.workers import mapped, worker_pool


def number_plus(number: int) -> int:
    return number + int(os.environ["PLUS"])


def set_plus(value: str) -> None:
    os.environ["PLUS"] = value


def fail_or_sleep(folder: Path, number: int) -> int:
    (folder / str(os.getpid())).touch()
    if number == 0:
        raise ValueError("the first job fails")
    time.sleep(20)
    (folder / "finished").touch()
    return number


def test_every_worker_begins_as_it_is_told(tmp_path: Path) -> None:
    with worker_pool(1, set_plus, ("10",)) as pool:
        assert list(pool.map(number_plus, [1, 2])) == [11, 12]


def adder(folder: Path) -> Callable[[int], int]:
    """Adds ten; notes in ``folder`` that it was made."""
    (folder / f"{os.getpid()}-{time.time_ns()}").touch()
    return lambda number: number + 10


def no_adder(folder: Path) -> Callable[[int], int]:
    raise UsageError(f"{folder}: nothing to add")


def test_items_are_mapped_in_order_by_what_each_process_makes_once(tmp_path: Path) -> None:
    with mapped(2, adder, tmp_path, range(40), chunk=3) as numbers:
        assert list(numbers) == list(range(10, 50))
    made_by = [path.name.split("-")[0] for path in tmp_path.iterdir()]
    assert len(made_by) == len(set(made_by)) <= 2


def test_what_a_process_cannot_make_is_told_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to add"), mapped(1, no_adder, tmp_path, [1]) as numbers:
        list(numbers)


def test_a_failure_ends_the_others_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="first job fails"), worker_pool(2) as pool:
        for done in as_completed([pool.submit(fail_or_sleep, tmp_path, number) for number in range(6)]):
            done.result()
    assert not any(psutil.pid_exists(int(path.name)) for path in tmp_path.iterdir() if path.name.isdigit())
    assert not (tmp_path / "finished").exists()


def test_a_worker_that_dies_is_one_clear_error() -> None:
    with pytest.raises(UsageError, match="a worker process ended by itself"), worker_pool(1) as pool:
        pool.submit(os._exit, 9).result()
