"""Recordings far from the levels that the model knows are enhanced as others are."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

import pse_sdk as sdk
from pse_sdk.evaluation.metrics.waveform import si_sdr
from pse_sdk.level import FIRST_FRAMES, FORGET_DB, LOUD_DB, MOST_DB, QUIET_DB, SILENCE_DB, InputLevel, level_db
from tests.conftest import cut

EXAMPLES = Path(__file__).parent.parent / "examples"


def window(db: float) -> np.ndarray:
    return np.full((1, 320), 10 ** (db / 20), np.float32)


def gain_db(gain: float) -> float:
    return 20 * float(np.log10(gain))


def test_the_level_is_in_db_of_full_scale() -> None:
    assert level_db(window(-20.0)[0]) == pytest.approx(-20, abs=1e-3)
    assert level_db(np.zeros(320, np.float32)) == pytest.approx(-120)


@given(st.lists(st.floats(QUIET_DB + 0.1, LOUD_DB - 0.1), min_size=1, max_size=50))
def test_usual_levels_are_left_alone(levels: list[float]) -> None:
    level = InputLevel()
    assert {level.gain(window(db)) for db in levels} == {1.0}


def test_a_quiet_signal_is_lifted_and_a_loud_one_lowered() -> None:
    assert gain_db(settled(QUIET_DB - 30)) == pytest.approx(30, abs=1e-2)
    assert gain_db(settled(QUIET_DB - MOST_DB - 5)) == pytest.approx(MOST_DB, abs=1e-2)
    assert gain_db(settled(LOUD_DB + 4)) == pytest.approx(-4, abs=1e-2)


def test_a_stream_that_begins_with_a_short_pause_is_not_lifted() -> None:
    level = InputLevel()
    assert {level.gain(window(-70)) for _ in range(30)} == {1.0}


@given(st.lists(st.floats(-110, 20), min_size=1, max_size=50))
def test_no_window_is_lifted_above_the_quietest_usual_level(levels: list[float]) -> None:
    level = InputLevel()
    for db in levels:
        gain = gain_db(level.gain(window(db)))
        if db > SILENCE_DB:
            assert db + gain <= max(QUIET_DB, min(db, LOUD_DB)) + 0.01


def test_what_was_loud_is_forgotten_slowly_and_silence_forgets_nothing() -> None:
    level = InputLevel()
    for _ in range(FIRST_FRAMES):
        level.gain(window(QUIET_DB + 1))
    assert {level.gain(np.zeros((1, 320), np.float32)) for _ in range(1000)} == {1.0}
    frames = next(n for n in range(10_000) if level.gain(window(-70)) > 1)
    assert frames == pytest.approx(1 / FORGET_DB, abs=2)


def test_a_new_stream_begins_anew() -> None:
    level = InputLevel()
    level.gain(window(0))
    level.reset()
    assert level.gain(window(-30)) == 1


def settled(db: float) -> float:
    """The gain when a signal has been at this level for a while."""
    level = InputLevel()
    return [level.gain(window(db)) for _ in range(2000)][-1]


@pytest.mark.parametrize("down_db", [25, 40])
@pytest.mark.parametrize("depth", [1, 5])
def test_a_quiet_recording_gains_what_a_usual_one_gains(depth: int, down_db: int) -> None:
    noisy, clean = (soundfile.read(EXAMPLES / f"{name}.flac", dtype="float32")[0] for name in ("noisy", "clean"))
    enhancer = sdk.Enhancer(f"fixed-{depth}")
    begun = 16000  # by then it is known how quiet the recording is
    usual = si_sdr(enhancer.enhance(noisy)[begun:], clean[begun:])
    quiet = si_sdr(enhancer.enhance(noisy * np.float32(10 ** (-down_db / 20)))[begun:], clean[begun:])
    assert quiet > usual - 1.5 > si_sdr(noisy[begun:], clean[begun:])


def test_a_quiet_stream_is_the_quiet_recording() -> None:
    noisy = soundfile.read(EXAMPLES / "noisy.flac", dtype="float32", frames=32000)[0] * np.float32(0.005)
    with sdk.Enhancer("fixed-2") as enhancer:
        blocks = [enhancer.process(block) for block in cut(noisy, [100, 1600, 7])]
        streamed = np.concatenate([*blocks, enhancer.flush()])[enhancer.latency :]
        np.testing.assert_allclose(streamed, enhancer.enhance(noisy), atol=1e-6)
