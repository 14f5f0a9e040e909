"""A live stream: what is played is the enhanced signal, late by a fixed lag, whatever happens to device and worker."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pse_sdk as sdk
from pse_sdk.live import LiveSession, LiveStatus
from pse_sdk.live.session import RETRY_CALLS, STALLED_CALLS
from pse_sdk.live.stream import LiveStream
from pse_sdk.load import Clocks
from tests.live.fake_device import FakeDuplex

Make = Callable[..., np.ndarray]
BLOCK = 160
CUSHION = 2 * BLOCK
STILL = Clocks(lambda: 0.0, lambda: 0.0)


class Rig:
    """A session on a fake device, driven by hand: a turn of the device, then of the worker."""

    def __init__(self, model: Path, signal: np.ndarray, rate: int = 16000) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.device = FakeDuplex(signal, rate)
        self.enhancer = sdk.Enhancer("fixed-2", model=model, sample_rate=rate, clocks=STILL)
        self.session = LiveSession(self.enhancer, self.device, say=self.said.append, clock=lambda: self.now)
        self.session._open()

    def turn(self, work: bool = True, **device: bool) -> None:
        self.now += 0.01
        self.device.turn(**device)
        if work:
            self.session.work_once()

    def turns(self, count: int, **turn: bool) -> None:
        for _ in range(count):
            self.turn(**turn)

    def watch(self, times: int = 1) -> LiveStatus:
        for _ in range(times):
            status = self.session.watch()
        return status


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_what_is_played_is_the_enhanced_signal_late_by_the_lag(tiny_model: Path, speechlike: Make, rate: int) -> None:
    signal = speechlike(rate)
    rig = Rig(tiny_model, signal, rate)
    rig.turns(105)
    expected = rig.enhancer.enhance(signal)
    lag = rig.enhancer.latency + 3 * rate // 100  # two blocks of cushion, counted from the first that was captured
    np.testing.assert_allclose(rig.device.output[lag : lag + rate // 2], expected[: rate // 2], atol=1e-6)
    status = rig.watch()
    assert (status.underruns, status.resyncs, status.glitches) == (0, 0, 0)
    # The device's 30 ms, three blocks from a sample's arrival to when it is wanted, and the model.
    assert status.lag_ms == pytest.approx(30 + 30 + 1000 * rig.enhancer.latency / rate)


@pytest.mark.parametrize("waiting", [4, 8])
def test_what_piled_up_before_the_worker_began_does_not_stay_in_the_lag(
    tiny_model: Path, speechlike: Make, waiting: int
) -> None:
    signal = speechlike(200 * BLOCK)
    rig = Rig(tiny_model, signal)
    rig.turns(waiting, work=False)
    rig.turns(100)
    expected = rig.enhancer.enhance(signal)
    lag, start = rig.enhancer.latency + 3 * BLOCK, 40 * BLOCK  # where the model has forgotten how it began
    played = rig.device.output[start + lag : start + lag + 16 * BLOCK]
    np.testing.assert_allclose(played, expected[start : start + 16 * BLOCK], atol=1e-2)
    assert rig.watch().lag_ms == pytest.approx(30 + 30 + 1000 * rig.enhancer.latency / 16000, abs=0.1)
    assert (rig.watch().skipped_ms, rig.watch().realigned) == (0, 0)


@given(late=st.lists(st.booleans(), min_size=10, max_size=40))
def test_a_worker_that_is_late_makes_silence_and_shifts_nothing(
    tiny_model: Path, speechlike: Make, late: list[bool]
) -> None:
    late = [is_late and any(not x for x in late[max(0, i - 7) : i]) for i, is_late in enumerate(late)]  # 80 ms at most
    signal = speechlike(90 * BLOCK) + np.float32(0.01)
    rig = Rig(tiny_model, signal)
    for is_late in [*late, *([False] * 20)]:
        rig.turn(work=not is_late)
    output = rig.device.output.reshape(-1, BLOCK)
    clean = sdk.Enhancer("fixed-2", model=tiny_model).process(signal)
    on_time = np.concatenate([np.zeros(BLOCK + CUSHION, np.float32), clean])[: output.size].reshape(-1, BLOCK)
    right = np.isclose(output, on_time, atol=1e-6).all(axis=1)
    silent = ~output.any(axis=1)
    assert (right | silent).all()
    assert rig.watch().underruns == (silent & on_time.any(axis=1)).sum()
    assert rig.watch().resyncs == 0


def test_a_worker_starved_for_half_a_second_leaves_out_what_is_too_late(tiny_model: Path, speechlike: Make) -> None:
    signal = speechlike(200 * BLOCK) + np.float32(0.01)
    rig = Rig(tiny_model, signal)
    rig.turns(50)
    rig.turns(50, work=False)
    rig.turns(20)
    status = rig.watch()
    assert (status.resyncs, status.skipped_ms) == (1, 510)
    assert 45 <= status.underruns <= 55
    output = rig.device.output
    assert not output[55 * BLOCK : 100 * BLOCK].any()
    assert np.abs(output[106 * BLOCK :]).reshape(-1, BLOCK).max(axis=1).min() > 0
    assert np.isfinite(output).all()


def test_a_large_cushion_bears_a_worker_that_is_late_by_less(tiny_model: Path) -> None:
    now = 0.0
    enhancer = sdk.Enhancer("fixed-1", model=tiny_model, sample_rate=16000, clocks=STILL)
    stream = LiveStream(enhancer, cushion=50 * BLOCK, clock=lambda: now)
    for turn in range(200):
        now += 0.01
        stream.capture(np.full(BLOCK, 0.01, np.float32))
        stream.play(np.zeros(BLOCK, np.float32))
        if not 100 <= turn < 130:
            stream.pump()
    assert (stream.skipped, stream.underruns, stream.resyncs) == (0, 0, 0)


@pytest.mark.parametrize("slow", ["capture", "play"])
def test_clocks_that_part_are_brought_together_again(tiny_model: Path, speechlike: Make, slow: str) -> None:
    rig = Rig(tiny_model, np.full(700 * BLOCK, 0.1, np.float32))
    for n in range(600):
        rig.turn(**{slow: n % 50 != 49})  # one side misses a block in fifty: 2 %
    status = rig.watch()
    assert 1 <= status.realigned <= 12
    assert status.underruns <= 3 * status.realigned + 12
    assert (status.resyncs, status.skipped_ms <= 20 * status.realigned) == (0, True)
    # However far they part, what is played was captured lately.
    stream = rig.session.stream
    assert stream._offset is not None
    delay = stream.taken + stream._offset - stream.played
    assert -BLOCK < delay <= CUSHION + 16000 * 0.05


@pytest.mark.parametrize(
    ("capture", "play", "cushion"),
    [(160, 160, 400), (160, 160, 320), (220, 220, 441), (160, 128, 320), (256, 160, 512)],
)
def test_clocks_that_drift_apart_by_samples_cost_a_block_now_and_then(
    tiny_model: Path, capture: int, play: int, cushion: int
) -> None:
    enhancer = sdk.Enhancer(model=tiny_model, clocks=STILL)
    enhancer.set_depth(0)
    captured = played = 0
    stream = LiveStream(enhancer, cushion, clock=lambda: captured / 16000)
    for _ in range(8000):
        if captured + capture <= (played + play) / 1.002:  # the loudspeaker's clock is the faster one
            captured += capture
            stream.capture(np.full(capture, 0.01, np.float32))
            stream.pump()
        else:
            played += play
            stream.play(np.zeros(play, np.float32))
    assert 2 <= stream.realigned <= 6
    assert stream.underruns <= 2 * stream.realigned


def test_an_unplugged_device_is_waited_for_and_said_so_once(tiny_model: Path, speechlike: Make) -> None:
    signal = speechlike(400 * BLOCK)
    rig = Rig(tiny_model, signal)
    rig.turns(50)
    assert rig.watch().connected
    rig.device.plugged = False
    assert not rig.watch(50).connected
    assert rig.said == ["fake is gone: waiting for it to come back"]
    rig.device.plugged = True
    status = rig.watch(RETRY_CALLS)
    assert (status.connected, status.reconnects) == (True, 1)
    assert rig.said[1:] == ["fake is back"]
    start = len(rig.device.heard) * BLOCK
    rig.device.at = 0
    rig.session.work_once()
    rig.turns(100)
    lag = rig.enhancer.latency + CUSHION + BLOCK
    expected = rig.enhancer.enhance(signal)[: 50 * BLOCK]
    np.testing.assert_allclose(rig.device.output[start + lag :][: len(expected)], expected, atol=1e-6)
    assert rig.watch().underruns == 0


def test_a_device_that_says_nothing_for_long_counts_as_gone(tiny_model: Path) -> None:
    rig = Rig(tiny_model, np.zeros(16000, np.float32))
    rig.turns(3)
    assert rig.watch(STALLED_CALLS).connected
    assert not rig.watch().connected
    rig.watch(RETRY_CALLS)
    for _ in range(STALLED_CALLS):  # the microphone alone is not enough
        rig.turn(play=False)
        status = rig.watch()
    assert not status.connected


def test_after_sleep_the_stream_begins_anew_and_does_not_catch_up(tiny_model: Path, speechlike: Make) -> None:
    signal = speechlike(300 * BLOCK)
    rig = Rig(tiny_model, signal)
    rig.turns(50)
    rig.now += 3600
    rig.device.at = 0
    rig.turns(100)
    status = rig.watch()
    assert (status.sleeps, status.underruns, status.skipped_ms) == (1, 0, 0)
    # The block with which it woke up is the last of the old stream.
    lag = 50 * BLOCK + rig.enhancer.latency + CUSHION + BLOCK
    expected = rig.enhancer.enhance(signal[BLOCK:])[: 40 * BLOCK]
    np.testing.assert_allclose(rig.device.output[lag + BLOCK :][: len(expected)], expected, atol=1e-6)


def test_a_clock_that_is_set_back_is_no_sleep(tiny_model: Path) -> None:
    rig = Rig(tiny_model, np.zeros(16000, np.float32))
    rig.turns(20)
    rig.now -= 3600
    rig.turns(20)
    assert rig.watch().sleeps == 0


def test_bypass_and_profile_change_between_two_blocks(tiny_model: Path, speechlike: Make) -> None:
    rig = Rig(tiny_model, speechlike(300 * BLOCK))
    rig.turns(10)
    rig.session.toggle_bypass()
    rig.turns(50)
    status = rig.watch()
    assert status.bypassed
    assert status.stats.depth == 0
    lag = rig.enhancer.latency + CUSHION + BLOCK
    np.testing.assert_array_equal(
        rig.device.output[40 * BLOCK :], rig.device.signal[40 * BLOCK - lag : 60 * BLOCK - lag]
    )
    rig.session.toggle_bypass()
    rig.session.set_profile("fixed-1")
    rig.turns(50)
    status = rig.watch()
    assert (status.bypassed, status.profile, status.stats.depth) == (False, "fixed-1", 1)
    # A depth that the app pinned comes back, and one that it asks for meanwhile ends the bypass.
    for pinned in (1, 2):
        rig.session.request(lambda enhancer, depth=pinned: enhancer.set_depth(depth))
        rig.session.toggle_bypass()
        rig.turn()
        assert rig.watch().bypassed
        rig.session.toggle_bypass()
        rig.turn()
        assert (rig.watch().bypassed, rig.enhancer.pinned_depth) == (False, pinned)
    rig.session.toggle_bypass()
    rig.session.request(lambda enhancer: enhancer.set_depth(None))
    rig.turn()
    assert not rig.watch().bypassed
    rig.session.set_profile("turbo")
    rig.turn()
    assert "unknown profile 'turbo'" in rig.said[0]
    assert rig.watch().profile == "fixed-1"


def test_an_error_in_the_worker_is_said_once_and_a_new_stream_begins(tiny_model: Path, speechlike: Make) -> None:
    rig = Rig(tiny_model, speechlike(300 * BLOCK))
    rig.turns(20)
    works, rig.enhancer.process = rig.enhancer.process, None  # type: ignore[method-assign,assignment]
    rig.turns(20)
    assert len(rig.said) == 1
    assert "a new stream begins" in rig.said[0]
    rig.enhancer.process = works  # type: ignore[method-assign]
    rig.turns(30)
    assert np.isfinite(rig.device.output).all()
    assert rig.device.output[-20 * BLOCK :].any()


def test_samples_that_the_device_lost_are_counted(tiny_model: Path) -> None:
    rig = Rig(tiny_model, np.zeros(16000, np.float32))
    rig.turns(3, glitch=True)
    assert rig.watch().glitches == 3


def test_levels_are_those_of_the_last_moment(tiny_model: Path) -> None:
    rig = Rig(tiny_model, np.full(40000, 0.1, np.float32))
    rig.session.toggle_bypass()
    rig.turns(200)
    status = rig.watch()
    assert status.input_db == pytest.approx(-20, abs=0.1)
    assert status.output_db == pytest.approx(-20, abs=0.1)


def test_the_worker_runs_in_a_thread_of_its_own_and_ends(tiny_model: Path, speechlike: Make) -> None:
    device = FakeDuplex(speechlike(16000))
    enhancer = sdk.Enhancer("fixed-2", model=tiny_model, clocks=STILL)
    session = LiveSession(enhancer, device, say=print)
    session.start()
    done = threading.Event()
    for _ in range(40):
        device.turn()
        done.clear()
        session.request(lambda enhancer: done.set())
        assert done.wait(5)
    session.stop()
    assert device.output[10 * BLOCK :].any()
    assert not any(thread.name == "pse-live" for thread in threading.enumerate())


def test_a_device_that_is_not_there_at_the_start_is_an_error(tiny_model: Path) -> None:
    device = FakeDuplex(np.zeros(0, np.float32))
    device.plugged = False
    with pytest.raises(sdk.AudioError):
        LiveSession(sdk.Enhancer(model=tiny_model), device, say=print).start()


def test_an_app_that_fails_to_listen_does_not_silence_the_stream(
    tiny_model: Path, speechlike: Make, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tiny_model, speechlike(16000))

    def window_is_gone(line: str) -> None:
        raise BrokenPipeError(line)

    rig.session._tell = window_is_gone
    rig.session.set_profile("turbo")
    rig.turns(10)
    assert rig.watch().underruns == 0
    assert "could not say: unknown profile 'turbo'" in caplog.text


def test_an_enhancer_of_another_rate_than_the_devices_is_refused(tiny_model: Path) -> None:
    with (
        sdk.Enhancer(model=tiny_model) as enhancer,
        pytest.raises(sdk.UsageError, match="16000 Hz, the device at 48000"),
    ):
        LiveSession(enhancer, FakeDuplex(np.zeros(0, np.float32), 48000), say=print)


def test_a_session_is_started_once(tiny_model: Path) -> None:
    device = FakeDuplex(np.zeros(0, np.float32))
    with sdk.Enhancer(model=tiny_model) as enhancer:
        session = LiveSession(enhancer, device, say=print)
        session.start()
        session.stop()
        with pytest.raises(sdk.UsageError, match="make another LiveSession"):
            session.start()
    assert not device.running


def test_watching_a_session_that_was_stopped_leaves_the_microphone_closed(tiny_model: Path) -> None:
    rig = Rig(tiny_model, np.zeros(16000, np.float32))
    rig.watch()
    rig.session.stop()
    assert not rig.watch(STALLED_CALLS + RETRY_CALLS + 2).connected
    assert (rig.device.opened, rig.device.running, rig.said) == (1, False, [])


@pytest.mark.parametrize("buffer_s", [20, -1, float("nan")])
def test_a_buffer_that_could_not_be_held_is_refused(tiny_model: Path, buffer_s: float) -> None:
    with pytest.raises(sdk.UsageError, match=r"buffer_s = .*: seconds, from 0 to 1"):
        LiveSession(sdk.Enhancer("fixed-2", model=tiny_model), FakeDuplex(np.zeros(0, np.float32)), say=print,
                    buffer_s=buffer_s)  # fmt: skip


def test_a_device_whose_samples_have_another_scale_is_said_so_once(tiny_model: Path) -> None:
    rig = Rig(tiny_model, np.full(16000, 9000, np.float32))
    rig.turns(40)
    assert len(rig.said) == 1
    assert "divide them by 32768" in rig.said[0]


def test_one_sample_that_is_none_does_not_stay_in_the_meters(tiny_model: Path) -> None:
    signal = np.full(40000, 0.1, np.float32)
    signal[1000] = np.nan
    rig = Rig(tiny_model, signal)
    rig.turns(200)
    assert rig.watch().input_db == pytest.approx(-20, abs=0.1)
