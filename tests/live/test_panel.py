"""The panel says what happens, and lists trouble only where there is some."""

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import pse_sdk as sdk
from pse_sdk.live import LiveSession, LiveStatus
from pse_sdk.live.panel import lag_line, panel, trouble_line
from tests.live.fake_device import FakeDuplex


@pytest.fixture
def status(tiny_model: Path) -> LiveStatus:
    session = LiveSession(sdk.Enhancer("fixed-2", model=tiny_model), FakeDuplex(np.zeros(0, np.float32)), say=print)
    session._open()
    return session.watch()


def text(status: LiveStatus) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(panel(status, "mic -> speakers", 3))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_panel_shows_state_depth_load_levels_and_keys(status: LiveStatus) -> None:
    shown = text(dataclasses.replace(status, input_db=-20.4, output_db=-26.4))
    for words in ("mic -> speakers", "running", "2 of 3", "fixed-2", "of a core", "-20 dB", "-6.0 dB", "q quit"):
        assert words in shown


def test_the_panel_says_when_it_waits_and_when_it_is_bypassed(status: LiveStatus) -> None:
    assert "waiting for the device" in text(dataclasses.replace(status, connected=False))
    bypassed = text(dataclasses.replace(status, bypassed=True))
    assert "bypass: unprocessed" in bypassed
    assert "(fixed-2, once b is pressed again)" in bypassed
    assert "silence" in text(dataclasses.replace(status, input_db=-120.0))


def test_only_trouble_that_there_is_is_listed(status: LiveStatus) -> None:
    assert trouble_line(status) == "none"
    troubled = dataclasses.replace(status, underruns=3, skipped_ms=120.0, reconnects=1)
    assert trouble_line(troubled) == "3 underruns, 120 ms left out, 1 reconnects"


def test_the_lag_is_the_sum_of_its_parts(status: LiveStatus) -> None:
    assert lag_line(status) == "70 ms = 20 model + 20 buffer + 30 device"


def test_names_with_brackets_are_shown_as_they_are(status: LiveStatus) -> None:
    console = Console(file=io.StringIO(), width=120)
    console.print(panel(dataclasses.replace(status, profile="loud [night]"), "Line 1 [virtual] [/dev/snd]", 3))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Line 1 [virtual] [/dev/snd]" in shown
    assert "loud [night]" in shown
