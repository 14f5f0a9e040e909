"""Competing processes run while the block does, where and as politely as asked, and never longer."""

import os
import sys

import psutil
import pytest

from pse_sdk.errors import UsageError
from pse_sdk.profiling.competitors import Competition, competing, own_nice


def children() -> list[psutil.Process]:
    return psutil.Process().children()


def test_competitors_run_as_asked_and_end_with_the_block() -> None:
    before = children()
    core = psutil.Process().cpu_affinity()[0] if sys.platform == "linux" else 0
    with competing(Competition(2, nice=max(10, own_nice()), cores=(core,) if sys.platform == "linux" else ())):
        running = [child for child in children() if child not in before]
        assert len(running) == 2
        assert all(child.is_running() for child in running)
        if sys.platform == "linux":
            assert [(child.nice(), child.cpu_affinity()) for child in running] == [(max(10, own_nice()), [core])] * 2
    assert not any(child.is_running() for child in running)


def test_competitors_end_when_the_block_fails() -> None:
    before = children()
    with pytest.raises(ZeroDivisionError), competing(Competition(1, own_nice())):
        raise ZeroDivisionError
    assert children() == before


def test_no_competitors_are_no_processes() -> None:
    before = children()
    with competing(Competition(0)):
        assert children() == before


def test_cores_that_do_not_exist_are_refused_and_nothing_is_left() -> None:
    before = children()
    with pytest.raises(UsageError, match="cores 4095"), competing(Competition(1, own_nice(), cores=(4095,))):
        pass
    assert children() == before


def test_a_nice_level_that_is_denied_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(self: psutil.Process, value: int) -> None:
        raise psutil.AccessDenied(os.getpid())

    monkeypatch.setattr(psutil.Process, "nice", deny)
    with pytest.raises(UsageError, match="nice level -5 is not allowed here"), competing(Competition(1, nice=-5)):
        pass


def test_a_system_that_cannot_pin_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(psutil.Process, "cpu_affinity")
    with (
        pytest.raises(UsageError, match="cannot keep processes on chosen cores"),
        competing(Competition(1, own_nice(), cores=(0,))),
    ):
        pass


@pytest.mark.parametrize(
    ("competition", "words"),
    [
        (Competition(1), "1 competing process at nice 0"),
        (Competition(2, 5, (0, 1)), "2 competing processes at nice 5 on cores 0, 1"),
        (Competition(3, cores=(1,)), "3 competing processes at nice 0 on core 1"),
        (Competition(0), "none"),
    ],
)
def test_a_competition_describes_itself(competition: Competition, words: str) -> None:
    assert str(competition) == words
