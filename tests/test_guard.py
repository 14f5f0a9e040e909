"""A model that fails: audio goes on, unprocessed and aligned, with one warning, and the model comes back by itself."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pse_sdk as sdk
from pse_sdk.controller import Load
from pse_sdk.depth_change import PINNED_WARM_UP
from pse_sdk.guard import FIRST_PAUSE, LONGEST_PAUSE, SETTLED, Guard, check_output
from pse_sdk.load import Clocks, LoadMonitor
from tests.conftest import cut, plain

Make = Callable[..., np.ndarray]
HOP = 160
FRAMES = 110
KINDS = ("raises", np.nan, np.inf, 1e30)


class Faulty:
    """A runtime's stream whose step fails in the given way at the given calls."""

    def __init__(self, stream, faults: dict[int, object]) -> None:
        self.stream, self.faults, self.calls = stream, faults, 0

    def __getattr__(self, name: str):
        return getattr(self.stream, name)

    def step(self, windows: np.ndarray, depth: int, head: int) -> np.ndarray:
        fault = self.faults.get(self.calls)
        self.calls += 1
        if fault == "raises":
            raise RuntimeError("the runtime is gone\nand says much more")
        out = self.stream.step(windows, depth, head)
        if fault is not None:
            out = out.copy()
            out[0, 7] = fault
            hidden, cell = self.stream.states()
            self.stream.set_states(hidden * np.float32(np.nan), cell)  # what made the output so is still in the states
        return out


def broken(model: Path, faults: dict[int, object], depth: int | None = 2) -> sdk.Enhancer:
    enhancer = sdk.Enhancer(model=model)
    enhancer.set_depth(depth)
    enhancer._pipeline.stream = Faulty(enhancer._pipeline.stream, faults)  # type: ignore[assignment]
    return enhancer


def bypassed(faults: dict[int, object], frames: int) -> list[bool]:
    """Which frames a guard leaves unprocessed, simulated apart from the Enhancer: faults are numbered by calls."""
    out, pause, streak, good, call = [], 0, 0, 0, 0
    for _ in range(frames):
        if pause:
            pause -= 1
            out.append(True)
            continue
        failed = call in faults
        call += 1
        out.append(failed)
        if failed:
            pause, streak, good = min(FIRST_PAUSE * 2**streak, LONGEST_PAUSE), streak + 1, 0
        elif streak:
            good += 1
            if good == SETTLED:
                streak = good = 0
    return out


faults = st.dictionaries(st.integers(0, 30), st.sampled_from(KINDS), max_size=4)


@given(faults=faults, sizes=st.lists(st.integers(1, 700), min_size=1, max_size=4), depth=st.integers(1, 3))
def test_a_stream_with_faults_equals_one_that_is_bypassed_where_the_model_failed(
    tiny_model: Path, faults: dict[int, object], sizes: list[int], depth: int
) -> None:
    signal = plain(FRAMES)  # without silence, in which the model is not called
    enhancer, model = broken(tiny_model, faults, depth), sdk.Enhancer(model=tiny_model)
    blocks = [enhancer.process(block) for block in cut(signal, sizes)]
    assert [len(out) for out in blocks] == [len(block) for block in cut(signal, sizes)]
    expected = []
    for block, bypass in zip(cut(signal, [HOP]), bypassed(faults, FRAMES), strict=True):
        model.set_depth(0 if bypass else depth)
        expected.append(model.process(block))
    np.testing.assert_allclose(np.concatenate(blocks), np.concatenate(expected), atol=1e-6)


@given(faults=faults)
def test_while_the_model_is_left_out_the_output_is_the_input_aligned(
    tiny_model: Path, faults: dict[int, object]
) -> None:
    signal = plain(FRAMES)
    enhancer = broken(tiny_model, faults)
    out = np.concatenate([enhancer.process(signal), enhancer.flush()])[enhancer.latency :]
    assert np.isfinite(out).all()
    frames = bypassed(faults, FRAMES)
    for n in range(2, FRAMES):
        if frames[n - 1] and frames[n]:  # the first bypassed hop fades into the input; hop n - 1 is done with window n
            np.testing.assert_array_equal(out[(n - 1) * HOP : n * HOP], signal[(n - 1) * HOP : n * HOP])


def test_the_model_is_heard_again_after_a_pause_and_the_warm_up(tiny_model: Path, speechlike: Make) -> None:
    enhancer = broken(tiny_model, {10: "raises"})
    signal = speechlike((11 + FIRST_PAUSE + PINNED_WARM_UP + 5) * HOP)
    for block in cut(signal, [HOP]):
        enhancer.process(block)
    stats = enhancer.stats()
    assert (stats.faults, stats.last_fault) == (1, "RuntimeError: the runtime is gone")
    assert stats.frames_at_depth == (1 + FIRST_PAUSE + PINNED_WARM_UP, 0, 15, 0)
    assert (stats.depth, stats.reason) == (2, "pinned by set_depth")


def test_a_model_that_is_broken_for_good_is_bypassed_tried_rarely_and_warned_of_once(
    tiny_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    enhancer = broken(tiny_model, dict.fromkeys(range(10000), "raises"), None)
    with caplog.at_level(logging.WARNING, "pse_sdk"):
        for _ in range(100):
            enhancer.process(np.full(100 * HOP, 0.1, np.float32))
    stats = enhancer.stats()
    assert len(caplog.records) == 1
    assert "audio goes on unprocessed" in caplog.text
    assert stats.frames_at_depth[0] == stats.frames == 10000
    assert stats.faults <= 12
    assert stats.depth == 0
    assert "the model failed" in stats.reason
    assert "the runtime is gone" in stats.reason


def test_an_incident_ends_when_the_model_has_worked_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    guard = Guard()
    with caplog.at_level(logging.INFO, "pse_sdk"):
        for _ in range(2):
            guard.failed(RuntimeError("gone"))
            assert [guard.may_run() for _ in range(FIRST_PAUSE + 1)] == [False] * FIRST_PAUSE + [True]
            for _ in range(SETTLED):
                guard.worked()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING", "INFO"]


def test_a_whole_recording_is_not_written_with_holes(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enhancer = sdk.Enhancer(model=tiny_model)
    real = enhancer._runtime.open_stream
    monkeypatch.setattr(enhancer._runtime, "open_stream", lambda: Faulty(real(), {3: np.nan}))
    with pytest.raises(sdk.ModelError, match="no audio"):
        enhancer.enhance(np.full(1600, 0.1, np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_an_output_that_cannot_be_audio_is_an_error(bad: float) -> None:
    out = np.zeros((1, 320), np.float32)
    assert check_output(out, np.ones_like(out)) is out
    out[0, -1] = bad
    with pytest.raises(sdk.ModelError):
        check_output(out, np.ones_like(out))


def test_a_loud_output_of_as_loud_an_input_is_no_fault() -> None:
    loud = np.full((1, 320), 1.2e4, np.float32)
    assert check_output(loud, loud) is loud


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=60))
def test_a_clock_that_jumps_changes_no_sample_and_no_mean_below_zero(
    tiny_model: Path, speechlike: Make, readings: list[float]
) -> None:
    turns = iter(readings * 1000)
    enhancer = sdk.Enhancer(model=tiny_model, clocks=Clocks(lambda: next(turns), lambda: next(turns)))
    signal = speechlike(30 * HOP)
    out = enhancer.process(signal)
    assert len(out) == len(signal)
    assert np.isfinite(out).all()
    stats = enhancer.stats()
    assert stats.frame_ms_p50 >= 0
    assert stats.real_time_factor >= 0
    assert 1 <= stats.depth <= 3


def test_a_thread_starved_for_half_a_second_loses_no_sample_and_one_deadline(
    tiny_model: Path, speechlike: Make
) -> None:
    took = [0.5 if n == 100 else 1e-4 for n in range(300)]
    readings = iter([0.0] + [t for n, seconds in enumerate(took) for t in (n, n + seconds)] + [300.0])
    starved = sdk.Enhancer(model=tiny_model, clocks=Clocks(lambda: next(readings), lambda: 0.0))
    calm = sdk.Enhancer(model=tiny_model, clocks=Clocks(lambda: 0.0, lambda: 0.0))
    signal = speechlike(300 * HOP)
    np.testing.assert_array_equal(starved.process(signal), calm.process(signal))
    assert starved.stats().misses == 1


def test_another_stream_does_not_wait_for_the_pause_of_the_last_one(tiny_model: Path) -> None:
    enhancer = broken(tiny_model, dict.fromkeys(range(3), "raises"))
    enhancer.process(np.full((3 + 3 * FIRST_PAUSE + 5) * HOP, 0.1, np.float32))
    assert "failed 3 times" in enhancer.stats().reason
    enhancer.reset()
    before = enhancer.stats().frames_at_depth[0]
    enhancer.process(np.full(5 * HOP, 0.1, np.float32))
    assert enhancer.stats().frames_at_depth[0] == before


@pytest.mark.parametrize("denied", [psutil.AccessDenied(), ValueError("cannot parse /proc/stat"), TypeError("None")])
def test_a_system_that_tells_nothing_changes_nothing(
    tiny_model: Path, speechlike: Make, monkeypatch: pytest.MonkeyPatch, denied: Exception
) -> None:
    def stream() -> tuple[np.ndarray, sdk.Stats]:
        still = Clocks(lambda: 0.0, lambda: 0.0)  # no frame takes any time: the depth hangs on the system alone
        with sdk.Enhancer("auto", model=tiny_model, clocks=still) as enhancer:
            out = [enhancer.process(block) for block in cut(speechlike(FRAMES * HOP), [HOP])]
            return np.concatenate(out), enhancer.stats()

    def deny(*_: object, **__: object) -> None:
        raise denied

    told, _ = stream()
    for ask in ("cpu_percent", "sensors_battery", "sensors_temperatures", "cpu_freq"):
        monkeypatch.setattr(psutil, ask, deny, raising=False)
    untold, stats = stream()
    np.testing.assert_array_equal(untold, told)
    assert stats.frames_at_depth == (0, 0, 0, FRAMES)
    assert stats.load == Load()


def test_audio_goes_on_where_no_thread_can_be_started(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", refuse)
    monitor = LoadMonitor()
    monitor.start()
    assert monitor.load.cpu is None
    assert len(sdk.Enhancer(model=tiny_model).process(np.zeros(HOP, np.float32))) == HOP


def test_faint_output_of_silence_is_no_fault() -> None:
    output = np.full((1, 320), 1e-3, np.float32)
    assert check_output(output, np.zeros_like(output)) is output


def test_a_runtime_that_loses_its_states_in_silence_does_not_end_the_audio(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enhancer = sdk.Enhancer(model=tiny_model)

    def gone(*_: object) -> None:
        raise RuntimeError("the runtime is gone")

    enhancer.process(plain(20))
    enhancer.process(np.zeros(16000, np.float32))
    monkeypatch.setattr(enhancer._pipeline.stream, "set_states", gone)
    assert len(enhancer.process(plain(20))) == 3200
    assert enhancer.stats().faults == 1
