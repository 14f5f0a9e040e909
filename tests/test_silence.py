"""Pauses cost little: fewer blocks where nobody speaks, none in digital silence, and all at once at the onset."""

from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import assume, given
from hypothesis import strategies as st
from pse_sdk.exporters.onnx import export_onnx

import pse_sdk as sdk
from pse_sdk.level import level_db
from pse_sdk.load import Clocks
from pse_sdk.pipeline import Pipeline
from pse_sdk.recording import LEAD_S
from pse_sdk.silence import FADED, HEARD_FRAMES, LEAST_DB, LONG_SILENCE_S, RANGE_DB, SUPPRESSED_DB, SpeechDetector
from tests.conftest import CONFIGS, cut, make_stack, plain

Make = Callable[..., np.ndarray]
HOP = 160
CLEAN = Path(__file__).parent.parent / "examples" / "clean.flac"
IDLE = Clocks(lambda: 0.0, lambda: 0.0)


def window(db: float) -> np.ndarray:
    return np.full((1, 320), 10 ** (db / 20), np.float32)


def test_speech_is_what_the_model_lets_through() -> None:
    detector = SpeechDetector()
    assert detector.observe(window(-30), window(-31))
    assert not detector.observe(window(-30), window(-31 - RANGE_DB - 1))  # far below the speech before
    assert not detector.observe(window(-5), window(-5 - SUPPRESSED_DB - 1))  # far below its own input
    assert detector.quiet == 2
    assert detector.observe(window(-30), window(-31))
    assert detector.quiet == 0


def test_a_softer_speaker_is_heard_when_the_louder_one_was_long_ago() -> None:
    detector = SpeechDetector()
    detector.observe(window(-5), window(-5))
    assert not detector.observe(window(-35), window(-35))
    for _ in range(600):
        detector.observe(window(-60), window(-90))
    assert detector.observe(window(-35), window(-35))


@given(st.lists(st.tuples(st.floats(-110, 20), st.floats(-110, 20)), max_size=50))
def test_one_frame_at_the_loudest_level_always_ends_the_pause(levels: list[tuple[float, float]]) -> None:
    detector = SpeechDetector()
    for noisy, enhanced in levels:
        detector.observe(window(noisy), window(enhanced))
    loudest = max([after for _, after in levels], default=LEAST_DB) + 0.1
    assert detector.observe(window(loudest), window(loudest)) == (loudest > LEAST_DB)


def profile(**values: float) -> sdk.Profile:
    return sdk.Profile("test", cpu_share=1.0, **{"rest_after_s": 0.5, **values})


def without_rest(enhancer: sdk.Enhancer, depth: int, signal: np.ndarray) -> np.ndarray:
    """A stream whose frames all run, the digitally silent ones too, and its tail."""
    pipeline = enhancer._pipeline

    def frame(_: Pipeline) -> np.ndarray:
        return pipeline.run_frame(depth, 1.0).samples

    return np.concatenate([pipeline.push(signal, frame), pipeline.flush(frame)])


def run(enhancer: sdk.Enhancer, signal: np.ndarray) -> tuple[np.ndarray, list[sdk.Stats]]:
    """The aligned output, and the statistics after each hop."""
    outputs, stats = [], []
    for block in cut(signal, [HOP]):
        outputs.append(enhancer.process(block))
        stats.append(enhancer.stats())
    return np.concatenate([*outputs, enhancer.flush()])[enhancer.latency :], stats


@pytest.fixture(scope="module")
def with_pause() -> np.ndarray:
    """2.5 s of speech, 3 s of pause, 2.5 s of speech, all with white noise at -40 dB of full scale."""
    speech = soundfile.read(CLEAN, dtype="float32")[0][16000:56000]
    noise = 0.01 * np.random.default_rng(0).standard_normal(128000).astype(np.float32)
    return np.concatenate([speech, np.zeros(48000, np.float32), speech]) + noise


def test_in_a_pause_the_least_runs_and_at_the_onset_all_of_it_within_a_frame(with_pause: np.ndarray) -> None:
    enhancer = sdk.Enhancer(profile(), clocks=IDLE)
    output, stats = run(enhancer, with_pause)
    depths = [s.depth for s in stats]
    first, last = 250 + 50, 550  # half a second into the pause; the frame that its end lies in
    in_pause = depths[first + 10 : last]
    assert np.mean(np.array(in_pause) == 1) > 0.9
    assert stats[last - 1].reason == "nobody speaks"
    loud = next(n for n in range(last, 800) if level_db(with_pause[n * HOP : (n + 1) * HOP]) > -45)
    assert depths[loud + 1] == enhancer.max_depth
    always, _ = run(sdk.Enhancer(profile(rest_after_s=0.0), clocks=IDLE), with_pause)
    onset = slice(loud * HOP, (loud + 5) * HOP)
    assert level_db(output[onset]) > level_db(always[onset]) - 1.5  # its first hop is the shallowest depth's
    speaking = depths.index(1) - 1  # frames before the first rest
    np.testing.assert_array_equal(output[: speaking * HOP], always[: speaking * HOP])


def test_digital_silence_runs_no_block_and_comes_out_as_silence(with_pause: np.ndarray) -> None:
    signal = with_pause.copy()
    signal[40000:88000] = 0
    enhancer = sdk.Enhancer(profile(), clocks=IDLE)
    calls = []
    step = enhancer._pipeline.stream.step
    enhancer._pipeline.stream.step = lambda *a: calls.append(1) or step(*a)  # type: ignore[method-assign]
    output, stats = run(enhancer, signal)
    assert len(calls) <= len(signal) // HOP - 295 + HEARD_FRAMES
    assert stats[-1].resting_frames >= 295 - HEARD_FRAMES
    assert not output[40320:87680].any()


def test_digital_silence_changes_no_depth_and_soon_counts_as_a_pause(with_pause: np.ndarray) -> None:
    signal = with_pause[:40000].copy()
    for at in (16000, 24000):
        signal[at : at + 1600] = 0  # gaps between words
    enhancer = sdk.Enhancer(profile(rest_after_s=1.0), clocks=IDLE)
    _, stats = run(enhancer, signal)
    assert stats[-1].depth_changes == 0
    _, stats = run(enhancer, np.zeros(300 * HOP, np.float32))
    assert (stats[-1].depth, stats[-1].reason, stats[-1].depth_changes) == (1, "nobody speaks", 1)


@given(
    parts=st.lists(st.tuples(st.booleans(), st.integers(1, 3000)), min_size=1, max_size=8),
    sizes=st.lists(st.integers(1, 700), min_size=1, max_size=4),
    depth=st.integers(1, 3),
)
def test_states_wait_while_there_is_digital_silence(
    tiny_model: Path, speechlike: Make, parts: list[tuple[bool, int]], sizes: list[int], depth: int
) -> None:
    """Speech with gaps of zeros gives what a stream gives whose model was stopped by hand late in every gap."""
    # After longer ones states fade: the next test's.
    gaps = [sum(length for _, length in run) for loud, run in groupby(parts, lambda part: part[0]) if not loud]
    assume(max(gaps, default=0) < (LONG_SILENCE_S - 0.05) * 16000)
    rng = np.random.default_rng(0)
    signal = np.concatenate([0.1 * loud * rng.standard_normal(length) for loud, length in parts]).astype(np.float32)
    resting = sdk.Enhancer(profile(min_depth=depth, max_depth=depth), model=tiny_model, clocks=IDLE)
    by_hand = sdk.Enhancer(model=tiny_model)
    real = by_hand._pipeline.stream.step
    silent = 0

    def step(window: np.ndarray, depth: int, head: int) -> np.ndarray:
        nonlocal silent
        silent = 0 if window.any() else silent + 1
        return real(window, depth, head) if silent <= HEARD_FRAMES else np.zeros_like(window)

    by_hand._pipeline.stream.step = step  # type: ignore[method-assign]
    expected = without_rest(by_hand, depth, signal)
    out = np.concatenate([*(resting.process(block) for block in cut(signal, sizes)), resting.flush()])
    np.testing.assert_allclose(out, expected, atol=1e-6)


@given(
    seconds=st.floats(0.6, 1.5), depth=st.integers(1, 3), sizes=st.lists(st.integers(1, 700), min_size=1, max_size=4)
)
def test_after_long_digital_silence_most_is_forgotten(
    tiny_model: Path, seconds: float, depth: int, sizes: list[int]
) -> None:
    """As a stream whose states are scaled by hand at the end of the silence."""
    signal = np.concatenate([plain(30, seed=1), np.zeros(int(seconds * 100) * HOP, np.float32), plain(30, seed=2)])
    enhancer = sdk.Enhancer(profile(min_depth=depth, max_depth=depth), model=tiny_model, clocks=IDLE)
    out = np.concatenate([*(enhancer.process(block) for block in cut(signal, sizes)), enhancer.flush()])
    by_hand = sdk.Enhancer(model=tiny_model)
    stream, silent = by_hand._pipeline.stream, 0
    real = stream.step

    def step(window: np.ndarray, depth: int, head: int) -> np.ndarray:
        nonlocal silent
        if not window.any():
            silent += 1
            return real(window, depth, head) if silent <= HEARD_FRAMES else np.zeros_like(window)
        if silent * HOP >= LONG_SILENCE_S * 16000:
            stream.set_states(*(FADED * state for state in stream.states()))
        silent = 0
        return real(window, depth, head)

    stream.step = step  # type: ignore[method-assign]
    expected = without_rest(by_hand, depth, signal)
    np.testing.assert_allclose(out, expected, atol=1e-6)


@pytest.fixture(scope="module")
def convolutional(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "conv.onnx"
    export_onnx(make_stack(CONFIGS["e3net-16k"].replace(block="convtasnet")), path, name="conv", precision="fp32")
    return path


@given(
    seconds=st.floats(0.6, 1.5), depth=st.integers(1, 3), sizes=st.lists(st.integers(1, 700), min_size=1, max_size=4)
)
def test_after_long_digital_silence_a_convolutional_model_begins_anew(
    convolutional: Path, seconds: float, depth: int, sizes: list[int]
) -> None:
    before, after = plain(30, seed=1), plain(30, seed=2)
    silence = np.zeros(int(seconds * 100) * HOP, np.float32)
    enhancer = sdk.Enhancer(profile(min_depth=depth, max_depth=depth), model=convolutional, clocks=IDLE)
    signal = np.concatenate([before, silence, after])
    out = np.concatenate([*(enhancer.process(block) for block in cut(signal, sizes)), enhancer.flush()])
    new = sdk.Enhancer(model=convolutional)
    new.set_depth(depth)
    np.testing.assert_allclose(out[enhancer.latency + len(before) + len(silence) :], new.enhance(after), atol=1e-6)


@pytest.mark.parametrize("never", [{"profile": "fixed-2"}, {"profile": "quality"}, {"depth": 2}], ids=str)
def test_where_the_depth_was_asked_for_pauses_are_treated_like_speech(tiny_model: Path, never: dict) -> None:
    enhancer = sdk.Enhancer(never.get("profile", "battery"), model=tiny_model, clocks=IDLE)
    enhancer.set_depth(never.get("depth"))
    noise = 1e-3 * np.random.default_rng(0).standard_normal(300 * HOP).astype(np.float32)
    _, stats = run(enhancer, noise)
    assert stats[-1].resting_frames == 0
    assert stats[-1].depth >= 2
    _, stats = run(enhancer, np.zeros(300 * HOP, np.float32))
    assert (
        stats[-1].resting_frames >= 298 - HEARD_FRAMES
    )  # nothing is to be heard there, and states that run on in it drift
    assert stats[-1].depth >= 2


@pytest.mark.parametrize("dither", [0, 1])
@pytest.mark.parametrize("gap_s", [0.3, 2.0])
def test_recordings_leave_digital_silence_out_as_streams_do(tiny_model: Path, gap_s: float, dither: int) -> None:
    gap = np.random.default_rng(0).integers(-dither, dither + 1, int(gap_s * 100) * HOP).astype(np.float32) / 32768
    signal = np.concatenate([plain(60, seed=1), gap, plain(60, seed=2)])
    stream = sdk.Enhancer(profile(min_depth=2, max_depth=2, rest_after_s=0), model=tiny_model, clocks=IDLE)
    expected, _ = run(stream, signal)
    np.testing.assert_array_equal(stream.enhance(signal), expected)
    assert not expected[(62 + HEARD_FRAMES) * HOP : 58 * HOP + len(gap)].any()
    ran_on = without_rest(sdk.Enhancer(model=tiny_model), 2, signal)[stream.latency :]
    assert np.abs(ran_on - expected).max() > 1e-4


@pytest.mark.parametrize("lead", [800, 1599, 1600, 70003])
@pytest.mark.parametrize("shape", [(), (2,)], ids=["mono", "stereo"])
def test_a_warm_start_begins_with_the_first_sound(tiny_model: Path, lead: int, shape: tuple[int, ...]) -> None:
    sound = np.resize(plain(700, seed=3), (100000, *shape)) + np.float32(1e-3)
    signal = np.concatenate([np.zeros((lead, *shape), np.float32), sound])
    enhancer = sdk.Enhancer(model=tiny_model)
    out = enhancer.enhance(signal, warm_start=True)
    blocks = list(enhancer.enhance_blocks(iter(cut(signal, [1, 333, 0, 4096])), warm_start=True))
    np.testing.assert_allclose(np.concatenate(blocks), out, atol=1e-6)
    if lead >= LEAD_S * 16000:
        assert not out[:lead].any()
        np.testing.assert_array_equal(out[lead:], enhancer.enhance(sound, warm_start=True))
        signal[:lead:3] = -1 / 32768
        np.testing.assert_array_equal(enhancer.enhance(signal, warm_start=True)[lead:], out[lead:])


def test_a_recording_of_nothing_comes_out_as_it_is(tiny_model: Path) -> None:
    for length in (0, 10, 50000):
        silence = np.zeros((length, 2), np.int16)
        out = sdk.Enhancer(model=tiny_model).enhance(silence, 48000, warm_start=True)
        assert (out.shape, out.dtype, out.any()) == ((length, 2), np.int16, False)


def test_bypass_stays_bypass_in_digital_silence(tiny_model: Path) -> None:
    clocks = Clocks(iter(np.arange(1e6)).__next__, lambda: 0.0)  # every frame takes a second
    enhancer = sdk.Enhancer(sdk.Profile("slow", min_depth=0), model=tiny_model, clocks=clocks)
    signal = np.zeros(300 * HOP, np.float32)
    signal[: 100 * HOP] = signal[200 * HOP :] = 0.1
    _, stats = run(enhancer, signal)
    assert stats[50].depth == stats[-1].depth == 0
    assert stats[-1].frames_at_depth[0] > 250
