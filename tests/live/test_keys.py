"""Keys from a terminal: single letters, and nothing for arrows and function keys."""

import os
import sys
from types import SimpleNamespace

import pytest

from pse_sdk.live.keys import pressed_keys

if sys.platform == "win32":
    pytest.skip("terminals as POSIX has them", allow_module_level=True)

import termios


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> int:
    """What is written here is typed."""
    keyboard, screen = os.openpty()
    monkeypatch.setattr("sys.stdin", os.fdopen(screen, "r"))
    return keyboard


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        ("b", "b"),
        ("\x1b[B", ""),  # down
        ("\x1bOQ", ""),  # F2
        ("\x1b[3~", ""),  # delete
        ("\x1b[15~1", "1"),  # F5, then 1
        ("\x1b[1;5Cq", "q"),  # control and right, then q
        ("\x1b", ""),
    ],
)
def test_letters_arrive_at_once_and_special_keys_count_for_nothing(terminal: int, typed: str, keys: str) -> None:
    with pressed_keys() as pressed:
        assert pressed() == ""
        os.write(terminal, typed.encode())
        assert pressed() == keys


def test_the_terminal_is_as_before_in_the_end(terminal: int) -> None:
    before = termios.tcgetattr(sys.stdin)
    with pytest.raises(ZeroDivisionError), pressed_keys():
        assert termios.tcgetattr(sys.stdin) != before
        raise ZeroDivisionError
    assert termios.tcgetattr(sys.stdin) == before


def test_the_terminal_of_another_process_is_left_alone(terminal: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp() + 1)
    before = termios.tcgetattr(sys.stdin)
    with pressed_keys() as pressed:
        assert termios.tcgetattr(sys.stdin) == before
        os.write(terminal, b"q")
        assert pressed() == ""


def test_without_a_terminal_no_key_is_pressed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    with pressed_keys() as pressed:
        assert pressed() == ""


def test_without_standard_input_nothing_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pressed_keys() as pressed:
        assert pressed() == ""
