"""The Enhancer as apps use it: streaming equals whole recordings, any format, and misuse is told."""

import copy
import gc
import pickle
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pse_sdk as sdk
from pse_sdk.load import Clocks
from pse_sdk.pcm import PcmFormat
from tests.conftest import cut, plain

Make = Callable[..., np.ndarray]


@pytest.fixture
def enhancer(tiny_model: Path) -> Iterator[sdk.Enhancer]:
    with sdk.Enhancer(model=tiny_model) as enhancer:
        yield enhancer


def stream(enhancer: sdk.Enhancer, signal: np.ndarray, sizes: list[int]) -> np.ndarray:
    """The whole signal through `process` and `flush`, without the latency."""
    outputs = [enhancer.process(block) for block in cut(signal, sizes)]
    assert [len(out) for out in outputs] == [len(block) for block in cut(signal, sizes)]
    return np.concatenate([*outputs, enhancer.flush()])[enhancer.latency :]


@given(
    sizes=st.lists(st.integers(1, 2500), min_size=1, max_size=6),
    depth=st.integers(0, 3),
    rate=st.sampled_from([8000, 16000, 44100, 48000]),
    length=st.integers(1, 5000),
)
def test_a_stream_in_any_blocks_equals_the_whole_recording(
    tiny_model: Path, speechlike: Make, sizes: list[int], depth: int, rate: int, length: int
) -> None:
    enhancer = sdk.Enhancer(model=tiny_model, sample_rate=rate)
    enhancer.set_depth(depth)
    signal = speechlike(length)
    np.testing.assert_allclose(stream(enhancer, signal, sizes), enhancer.enhance(signal), atol=1e-6)


def test_the_enhancer_equals_the_torch_stack_on_the_whole_signal(tiny_stack, tiny_model: Path) -> None:
    import torch

    signal = plain(25)
    enhancer = sdk.Enhancer(model=tiny_model)
    for depth in (1, 2, 3):
        enhancer.set_depth(depth)
        with torch.inference_mode():
            expected = tiny_stack(torch.from_numpy(signal)[None], depth)[0].numpy()
        np.testing.assert_allclose(enhancer.enhance(signal), expected, atol=1e-5)


def test_the_torch_runtime_gives_what_onnx_gives(tiny_model: Path, tiny_weights: Path, speechlike: Make) -> None:
    signal = speechlike(2000)
    expected = sdk.Enhancer(model=tiny_model).enhance(signal)
    onnx_like = sdk.Enhancer(model=tiny_weights, runtime="torch").enhance(signal)
    np.testing.assert_allclose(onnx_like, expected, atol=1e-5)


@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000, 192000])
def test_bypass_is_the_input_aligned_and_of_full_band(tiny_model: Path, rate: int) -> None:
    enhancer = sdk.Enhancer(model=tiny_model, sample_rate=rate)
    enhancer.set_depth(0)
    signal = (0.2 * np.random.default_rng(0).standard_normal(rate // 2)).astype(np.float32)
    np.testing.assert_allclose(enhancer.enhance(signal), signal, atol=1e-6)


def test_bypass_at_a_lower_rate_is_the_input_aligned(tiny_model: Path) -> None:
    enhancer = sdk.Enhancer(model=tiny_model, sample_rate=8000)
    enhancer.set_depth(0)
    signal = (0.3 * np.sin(2 * np.pi * 440 * np.arange(4000) / 8000)).astype(np.float32)
    np.testing.assert_allclose(enhancer.enhance(signal)[160:-160], signal[160:-160], atol=1e-4)


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(3000,), (3000, 1), (3000, 2), (3000, 8)])
def test_type_and_shape_are_kept(enhancer: sdk.Enhancer, dtype: type, shape: tuple[int, ...]) -> None:
    signal = 0.1 * np.random.default_rng(0).standard_normal(shape)
    audio = (signal * 32767).astype(dtype) if dtype is np.int16 else signal.astype(dtype)
    out = enhancer.enhance(audio, sample_rate=16000)
    assert (out.dtype, out.shape) == (audio.dtype, audio.shape)


def test_int16_and_float_are_the_same_audio(enhancer: sdk.Enhancer, speechlike: Make) -> None:
    integers = (speechlike(3000) * 32768).astype(np.int16)
    as_float = enhancer.enhance(integers.astype(np.float32) / 32768)
    np.testing.assert_allclose(enhancer.enhance(integers) / 32768, as_float, atol=1 / 32768)


def test_channels_are_enhanced_one_by_one(enhancer: sdk.Enhancer, speechlike: Make) -> None:
    left, right = speechlike(3000, 1), speechlike(3000, 2)
    both = enhancer.enhance(np.stack([left, right], axis=1))
    np.testing.assert_array_equal(both[:, 0], enhancer.enhance(left))
    np.testing.assert_array_equal(both[:, 1], enhancer.enhance(right))


def test_blocks_of_a_recording_equal_the_recording(enhancer: sdk.Enhancer, speechlike: Make) -> None:
    signal = speechlike(50000)
    blocks = list(enhancer.enhance_blocks(iter(cut(signal, [7, 20001, 160])), 48000))
    np.testing.assert_array_equal(np.concatenate(blocks), enhancer.enhance(signal, 48000))


@pytest.mark.parametrize("rate", [8000, 44100])
@pytest.mark.parametrize("seconds", [0.001, 0.7, 6.0])
def test_a_warm_start_hears_the_first_seconds_before(
    enhancer: sdk.Enhancer, speechlike: Make, rate: int, seconds: float
) -> None:
    signal = np.stack([speechlike(int(seconds * rate), seed) for seed in (1, 2)], axis=1)
    before = np.concatenate([signal[: 5 * rate], signal[: rate // 4][::-1]])
    expected = enhancer.enhance(np.concatenate([before, signal]), rate)[len(before) :]
    np.testing.assert_allclose(enhancer.enhance(signal, rate, warm_start=True), expected, atol=1e-6)
    blocks = enhancer.enhance_blocks(iter(cut(signal, [7, 9001, 160])), rate, warm_start=True)
    np.testing.assert_allclose(np.concatenate(list(blocks)), expected, atol=1e-6)


def test_a_warm_start_counts_bad_samples_once_and_refuses_what_a_cold_one_does(enhancer: sdk.Enhancer) -> None:
    signal = np.full(1600, 0.1, np.float32)
    signal[100:110] = np.nan
    assert np.isfinite(enhancer.enhance(signal, warm_start=True)).all()
    assert enhancer.stats().replaced_samples == 10
    for nothing in (np.zeros((0, 2), np.int16), np.zeros(0, int)):
        assert enhancer.enhance(nothing, warm_start=True).shape == nothing.shape
    first = list(enhancer.enhance_blocks([np.zeros(0), np.ones(9, np.int16)], warm_start=True))
    assert np.concatenate(first).dtype == np.int16
    with pytest.raises(sdk.PseError):
        enhancer.enhance("noisy.flac", warm_start=True)  # type: ignore[arg-type]
    for other in (np.zeros(160, np.float64), np.zeros((160, 2), np.float32), np.full(160, 1000.0, np.float32)):
        with pytest.raises(sdk.PseError):
            list(enhancer.enhance_blocks([signal, other], warm_start=True))


@pytest.mark.parametrize("limit", [6.0, 20.0])
def test_nothing_is_attenuated_beyond_the_limit(tiny_model: Path, speechlike: Make, limit: float) -> None:
    signal = speechlike(8000)
    free = sdk.Enhancer(model=tiny_model, strength_db=0).enhance(signal)
    limited = sdk.Enhancer(model=tiny_model, strength_db=limit).enhance(signal)
    share = 10 ** (-limit / 20)
    np.testing.assert_allclose(limited[160:-160], (share * signal + (1 - share) * free)[160:-160], atol=1e-6)


@given(bad=st.sampled_from([np.nan, np.inf, -np.inf, 1e30]), at=st.integers(0, 2999), count=st.integers(1, 500))
def test_bad_samples_become_silence_are_counted_and_do_not_spread(
    tiny_model: Path, speechlike: Make, bad: float, at: int, count: int
) -> None:
    signal = speechlike(3000)
    poisoned, silenced = signal.copy(), signal.copy()
    poisoned[at : at + count] = bad
    silenced[at : at + count] = 0
    enhancer = sdk.Enhancer(model=tiny_model, profile="fixed-2")
    np.testing.assert_array_equal(stream(enhancer, poisoned, [333]), stream(enhancer, silenced, [333]))
    assert enhancer.stats().replaced_samples == len(signal[at : at + count])


def test_the_limit_can_change_while_running_and_be_given_back(tiny_model: Path, speechlike: Make) -> None:
    enhancer, other = sdk.Enhancer(model=tiny_model), sdk.Enhancer(model=tiny_model, strength_db=12)
    enhancer.set_strength(12)
    np.testing.assert_array_equal(enhancer.enhance(speechlike(4000)), other.enhance(speechlike(4000)))
    enhancer.set_strength(None)
    assert enhancer.strength_db == enhancer.profile.strength_db


def test_an_empty_recording_stays_empty(enhancer: sdk.Enhancer) -> None:
    assert enhancer.enhance(np.zeros(0, np.float32)).shape == (0,)
    assert enhancer.enhance(np.zeros((0, 2), np.int16)).shape == (0, 2)
    assert enhancer.process(np.zeros(0, np.float32)).shape == (0,)


def test_changing_depth_and_profile_while_running_makes_no_click(tiny_model: Path) -> None:
    enhancer = sdk.Enhancer(model=tiny_model)
    tone = (0.3 * np.sin(2 * np.pi * 210 * np.arange(48000) / 16000)).astype(np.float32)
    steps = {}
    for depth in (1, 2, 3):
        enhancer.set_depth(depth)
        steps[depth] = np.abs(np.diff(stream(enhancer, tone, [160])[800:-800])).max()
    outputs = []
    for i, block in enumerate(cut(tone, [160])):
        if i % 20 == 0:
            enhancer.set_depth([1, 3, 0, 2][i // 20 % 4])
        if i == 150:
            enhancer.set_profile("fixed-1")
        outputs.append(enhancer.process(block))
    loudest = max(*steps.values(), np.abs(np.diff(tone)).max())
    assert np.abs(np.diff(np.concatenate(outputs)[1200:])).max() <= 1.3 * loudest


def test_depth_is_pinned_and_given_back(enhancer: sdk.Enhancer) -> None:
    assert enhancer.max_depth == 3
    enhancer.set_depth(2)
    enhancer.process(np.full(1600, 0.1, np.float32))
    assert (enhancer.depth, enhancer.stats().reason) == (2, "pinned by set_depth")
    assert enhancer.stats().frames_at_depth == (0, 0, 10, 0)
    enhancer.set_depth(None)
    enhancer.process(np.full(16000, 0.1, np.float32))
    assert enhancer.stats().reason != "pinned by set_depth"


class SlowMachine:
    """Clocks on which every frame takes ``seconds``, whatever really happens."""

    def __init__(self) -> None:
        self.now, self.seconds = 0.0, 0.0001

    def read(self) -> float:
        self.now += self.seconds
        return self.now


def test_the_depth_follows_the_time_that_frames_take(tiny_model: Path, speechlike: Make) -> None:
    machine = SlowMachine()
    enhancer = sdk.Enhancer(model=tiny_model, clocks=Clocks(machine.read, machine.read))
    enhancer.process(speechlike(16000))
    assert enhancer.stats().depth == 3
    machine.seconds = 0.02
    enhancer.process(speechlike(1600))
    stats = enhancer.stats()
    assert stats.depth == 1
    assert stats.misses > 0
    assert stats.frame_ms_p99 > 5


def test_a_whole_recording_knows_no_deadline(tiny_model: Path, speechlike: Make) -> None:
    machine = SlowMachine()
    machine.seconds = 1.0
    slow = sdk.Enhancer(model=tiny_model, clocks=Clocks(machine.read, machine.read))
    signal = speechlike(3000)
    np.testing.assert_array_equal(slow.enhance(signal), sdk.Enhancer(model=tiny_model).enhance(signal))


def test_a_reset_stream_is_a_new_one(enhancer: sdk.Enhancer, speechlike: Make) -> None:
    signal = speechlike(2000)
    enhancer.set_depth(3)
    first = enhancer.process(signal)
    enhancer.reset()
    np.testing.assert_array_equal(enhancer.process(signal), first)


def test_two_threads_at_once_are_told_so(tiny_model: Path) -> None:
    enhancer = sdk.Enhancer(model=tiny_model)
    inside, leave = threading.Event(), threading.Event()

    def wait(pipeline: object) -> np.ndarray:
        inside.set()
        leave.wait(5)
        return np.zeros(160, np.float32)

    enhancer._live_frame = wait  # type: ignore[method-assign,assignment]
    thread = threading.Thread(target=enhancer.process, args=(np.zeros(160, np.float32),))
    thread.start()
    inside.wait(5)
    with pytest.raises(sdk.UsageError, match="in use by another thread"):
        enhancer.process(np.zeros(160, np.float32))
    leave.set()
    thread.join()


def test_an_enhancer_is_neither_copied_nor_sent_to_another_process(enhancer: sdk.Enhancer) -> None:
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(sdk.UsageError, match="neither copied nor sent to another process"):
            attempt(enhancer)


def test_blocks_may_be_read_into_one_array_again_and_again(enhancer: sdk.Enhancer) -> None:
    noisy = np.random.default_rng(0).standard_normal((12, 8000)).astype(np.float32) * np.float32(0.1)

    def reused() -> Iterator[np.ndarray]:
        block = np.empty(8000, np.float32)
        for part in noisy:
            block[:] = part
            yield block

    expected = list(enhancer.enhance_blocks(iter(noisy), warm_start=True))
    given = list(enhancer.enhance_blocks(reused(), warm_start=True))
    np.testing.assert_array_equal(np.concatenate(given), np.concatenate(expected))


def test_blocks_that_are_none_are_refused(enhancer: sdk.Enhancer) -> None:
    with pytest.raises(sdk.UsageError, match="blocks of type NoneType: give an iterable"):
        enhancer.enhance_blocks(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (np.zeros((160, 2), np.float32), "takes one channel"),
        (np.zeros((2, 160, 1), np.float32), "shape"),
        (np.zeros(160, np.int32), "int32: give int16, float32 or float64"),
        (np.array(["a"]), "give int16"),
    ],
)
def test_blocks_that_are_no_mono_audio_are_refused(enhancer: sdk.Enhancer, block: np.ndarray, message: str) -> None:
    with pytest.raises(sdk.UsageError, match=message):
        enhancer.process(block)
    enhancer.process(np.zeros(160, np.float32))  # the stream goes on


def test_a_type_that_changes_within_a_stream_is_refused(enhancer: sdk.Enhancer) -> None:
    enhancer.process(np.zeros(160, np.float32))
    with pytest.raises(sdk.UsageError, match="changed within a stream"):
        enhancer.process(np.zeros(160, np.int16))


@pytest.mark.parametrize("rate", [0, 7999, 192001, 16000.5, True, None, "48k", float("nan")])
def test_a_rate_out_of_range_is_refused(tiny_model: Path, rate: float) -> None:
    with pytest.raises(sdk.UsageError, match="8000 to 192000"):
        sdk.Enhancer(model=tiny_model, sample_rate=rate)  # type: ignore[arg-type]


@pytest.mark.parametrize("depth", [-1, 4, 1.5, True, "2"])
def test_a_depth_that_does_not_exist_is_refused(enhancer: sdk.Enhancer, depth: object) -> None:
    with pytest.raises(sdk.UsageError, match="depth"):
        enhancer.set_depth(depth)  # type: ignore[arg-type]


def test_a_files_name_is_not_taken_for_its_samples(enhancer: sdk.Enhancer) -> None:
    for name in ("noisy.flac", Path("noisy.flac")):
        for call in (enhancer.enhance, enhancer.process, lambda name: list(enhancer.enhance_blocks([name]))):
            with pytest.raises(sdk.UsageError, match=r"not the name of a file; samples, rate = soundfile\.read"):
                call(name)


@pytest.mark.parametrize("given", [(np.zeros(160), 16000), [np.zeros(10), np.zeros(11)]])
def test_what_is_no_array_is_refused_and_the_stream_goes_on(tiny_model: Path, speechlike: Make, given: object) -> None:
    noisy, stream, undisturbed = speechlike(8000), *(sdk.Enhancer("fixed-2", model=tiny_model) for _ in range(2))
    first = stream.process(noisy[:4000])
    for call in (stream.process, stream.enhance, stream.enroll, lambda given: list(stream.enhance_blocks([given]))):
        with pytest.raises(sdk.UsageError, match=r"give one array of samples; of a file, samples, rate = soundfile"):
            call(given)
    np.testing.assert_array_equal(np.concatenate([first, stream.process(noisy[4000:])]), undisturbed.process(noisy))


def test_a_profile_deeper_than_the_model_is_refused(tiny_model: Path) -> None:
    with pytest.raises(sdk.UsageError, match="depths 1 to 3"):
        sdk.Enhancer("fixed-4", model=tiny_model)
    enhancer = sdk.Enhancer(sdk.Profile("at most", max_depth=9), model=tiny_model)  # demands nothing
    assert enhancer.stats().depth == 3


@pytest.mark.parametrize("strength", [-1, 121, float("nan"), "6", True])
def test_a_strength_out_of_range_is_refused(tiny_model: Path, strength: float) -> None:
    with pytest.raises(sdk.UsageError, match="strength_db"):
        sdk.Enhancer(model=tiny_model, strength_db=strength)


def test_a_stream_that_was_broken_off_begins_anew_and_aligned(tiny_model: Path, speechlike: Make) -> None:
    enhancer = sdk.Enhancer(model=tiny_model)
    enhancer.set_depth(2)
    signal = speechlike(4800)
    works = enhancer._pipeline.stream.step

    def interrupt(*arguments: object) -> np.ndarray:
        raise KeyboardInterrupt

    enhancer.process(signal[:1000])
    enhancer._pipeline.stream.step = interrupt  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        enhancer.process(signal[1000:2000])
    enhancer._pipeline.stream.step = works  # type: ignore[method-assign]
    np.testing.assert_array_equal(stream(enhancer, signal, [480]), enhancer.enhance(signal))


def test_the_rate_of_a_stream_cannot_change(enhancer: sdk.Enhancer) -> None:
    with pytest.raises(sdk.UsageError, match="cannot change"):
        enhancer.sample_rate = 48000
    assert enhancer.sample_rate == 16000


@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_long_stream_takes_no_more_memory_than_a_short_one(
    tiny_model: Path, rate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The thread that reads the system's load fills psutil's caches when its turn comes: 35 kB, early or late.
    monkeypatch.setattr("pse_sdk.load.LoadMonitor.start", lambda self: None)
    enhancer = sdk.Enhancer(model=tiny_model, sample_rate=rate)
    block = np.zeros(rate // 100, np.float32)
    sizes = []
    tracemalloc.start()
    for _ in range(3):
        for _ in range(300):
            enhancer.process(block)
        gc.collect()
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    # Buffers breathe by some hundred bytes; 600 frames of one hop each would be 384 kB.
    assert sizes[2] - sizes[0] < 5_000


def test_torch_is_not_imported_on_a_device() -> None:
    import subprocess
    import sys

    code = "import sys, pse_sdk; pse_sdk.Enhancer(); print(sorted({'torch','scipy','matplotlib'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_a_recording_of_another_scale_is_refused_and_a_loud_one_is_not(tiny_model: Path, speechlike: Make) -> None:
    enhancer = sdk.Enhancer(model=tiny_model)
    cast = (speechlike(16000) * 32768).astype(np.int16).astype(np.float32)
    with pytest.raises(sdk.UsageError, match="divide them by 32768, or give int16 samples"):
        enhancer.enhance(cast)
    assert np.isfinite(enhancer.enhance(4 * speechlike(16000))).all()


def test_a_stream_of_another_scale_is_refused_and_goes_on_as_what_it_should_be(
    tiny_model: Path, speechlike: Make
) -> None:
    pcm = (speechlike(4800) * 32768).astype(np.int16)
    enhancer = sdk.Enhancer("fixed-2", model=tiny_model)
    with pytest.raises(sdk.UsageError, match="divide them by 32768, or give int16 samples"):
        enhancer.process(pcm[:480].astype(np.float32))
    clean = np.concatenate([enhancer.process(pcm[i : i + 480]) for i in range(0, 4800, 480)])
    np.testing.assert_array_equal(clean, sdk.Enhancer("fixed-2", model=tiny_model).process(pcm))


def test_a_glitch_does_not_stop_a_stream(tiny_model: Path) -> None:
    block = np.zeros(480, np.float32)
    block[5:9] = 1e5, np.inf, np.nan, 1e30
    assert np.isfinite(sdk.Enhancer(model=tiny_model).process(block)).all()


def test_a_glitch_costs_nothing_but_itself(enhancer: sdk.Enhancer, tiny_model: Path) -> None:
    signal = (0.01 * np.random.default_rng(0).standard_normal(48000)).astype(np.float32)
    signal[16000] = 0
    expected = enhancer.enhance(signal)
    signal[16000] = 1000  # far louder than anything, yet not infinite
    np.testing.assert_array_equal(enhancer.enhance(signal), expected)
    assert enhancer.stats().replaced_samples == 1
    # In a short block, or a short last piece of a recording, one sample is a large share.
    assert len(sdk.Enhancer(model=tiny_model).process(np.float32([0, 0, 100]))) == 3
    for size in (2, 8, 16, 160):  # whatever the blocks' size
        assert len(sdk.Enhancer(model=tiny_model).process(np.full(size, 50, np.float32)[:16])) == min(size, 16)


@pytest.mark.parametrize("dtype", [">i2", ">f4", "<f8"])
def test_samples_of_any_byte_order_are_taken(enhancer: sdk.Enhancer, dtype: str) -> None:
    signal = np.random.default_rng(0).integers(-3000, 3000, 8000).astype(np.int16)
    given = signal if dtype == ">i2" else signal / 32768
    clean = enhancer.enhance(given.astype(dtype))
    assert clean.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(clean, enhancer.enhance(given.astype(clean.dtype)))


def test_an_empty_block_says_nothing_of_those_to_come(enhancer: sdk.Enhancer) -> None:
    block = np.full(1600, 1000, np.int16)
    clean = np.concatenate(list(enhancer.enhance_blocks([np.zeros(0), block])))
    np.testing.assert_array_equal(clean, enhancer.enhance(block))


@pytest.mark.parametrize("number", [np.int64, np.float32, np.float64])
def test_numbers_of_numpy_are_numbers(tiny_model: Path, number: type) -> None:
    enhancer = sdk.Enhancer(sdk.Profile("mine", strength_db=number(12)), model=tiny_model)
    enhancer.set_strength(number(6))
    assert enhancer.strength_db == 6


def test_what_is_no_voice_or_profile_is_refused(tiny_model: Path) -> None:
    with pytest.raises(sdk.UsageError, match=r"voice of type ndarray: must be what enroll\(\) returned"):
        sdk.Enhancer(model=tiny_model, voice=np.zeros(128, np.float32))
    with pytest.raises(sdk.ProfileError, match="must be a name"):
        sdk.Enhancer(None)


class Microphone:
    """A clock on which a block comes every 10 ms, a frame takes none, and the thread wakes up late as it is told.

    Late for want of a core, as the system then says, or because the sound card was late.
    """

    def __init__(self, late_card: bool = False) -> None:
        self.now = 100.0
        self.held_off = 0.0
        self._blocks = 0
        self._late_card = late_card

    def clocks(self) -> Clocks:
        return Clocks(lambda: self.now, lambda: 0.0, lambda: self.held_off)

    def record(self, enhancer: sdk.Enhancer, waits: list[float]) -> None:
        for wait in waits:
            self._blocks += 1
            due = 100.0 + 0.01 * self._blocks
            if self.now < due + wait:
                self.held_off += 0.0 if self._late_card else wait
                self.now = due + wait
            enhancer.process(np.full(160, 0.01, np.float32))


def test_a_block_that_is_handed_over_too_late_is_a_miss_and_runs_at_the_least_depth(tiny_model: Path) -> None:
    microphone = Microphone()
    enhancer = sdk.Enhancer(model=tiny_model, clocks=microphone.clocks())
    microphone.record(enhancer, [0.0] * 100)
    assert (enhancer.stats().misses, enhancer.stats().late_starts) == (0, 0)
    microphone.record(enhancer, [0.0065] + [0.0] * 20)
    stats = enhancer.stats()
    assert (stats.misses, stats.late_starts) == (1, 1)
    assert stats.frames_at_depth == (0, 1, 0, 120)


def test_a_thread_that_waited_for_a_moment_is_not_blamed_for_a_late_sound_card(tiny_model: Path) -> None:
    microphone = Microphone(late_card=True)
    enhancer = sdk.Enhancer(model=tiny_model, clocks=microphone.clocks())
    for block in range(300):
        microphone.held_off += 1e-5
        microphone.record(enhancer, [0.003 if block % 5 == 0 else 0.0])
    assert (enhancer.stats().misses, enhancer.stats().late_starts) == (0, 0)


def test_a_stall_of_several_blocks_is_counted_and_a_pause_of_as_many_is_not(tiny_model: Path) -> None:
    stalled, paused = Microphone(), Microphone(late_card=True)
    by_name = {}
    for name, microphone in (("stalled", stalled), ("paused", paused)):
        enhancer = sdk.Enhancer(model=tiny_model, clocks=microphone.clocks())
        microphone.record(enhancer, [0.0] * 100)
        by_name[name] = enhancer
    stalled.record(by_name["stalled"], [0.035] + [0.0] * 50)
    paused.record(by_name["paused"], [0.035] * 50)
    assert by_name["stalled"].stats().misses == 3  # 35, 25 and 15 ms late; after 5 there is just time enough
    assert by_name["paused"].stats().misses == 0


def test_a_sound_card_that_hands_over_late_makes_nothing_late(tiny_model: Path) -> None:
    microphone = Microphone(late_card=True)
    enhancer = sdk.Enhancer(model=tiny_model, clocks=microphone.clocks())
    microphone.record(enhancer, [0.0] * 100 + [0.0065, 0.0, 0.004, 0.035, 0.0] * 20)
    assert (enhancer.stats().misses, enhancer.stats().late_starts) == (0, 0)
    assert enhancer.stats().frames_at_depth[1] == 0


def test_what_a_thread_waited_for_before_a_stream_or_another_thread_says_nothing_of_it(tiny_model: Path) -> None:
    microphone = Microphone(late_card=True)
    microphone.held_off = 3.0
    enhancer = sdk.Enhancer(model=tiny_model, clocks=microphone.clocks())
    microphone.record(enhancer, [0.0] * 60 + [0.008] + [0.0] * 20)
    microphone.held_off += 3.0  # as of another thread
    other = threading.Thread(target=microphone.record, args=(enhancer, [0.0] * 5 + [0.008] + [0.0] * 20))
    other.start()
    other.join()
    assert (enhancer.stats().misses, enhancer.stats().late_starts) == (0, 0)


def test_a_file_fed_as_a_stream_is_never_late(tiny_model: Path, speechlike: Make) -> None:
    machine = SlowMachine()
    enhancer = sdk.Enhancer(model=tiny_model, clocks=Clocks(machine.read, machine.read))
    for block in cut(speechlike(48000), [160]):
        enhancer.process(block)
    assert enhancer.stats().late_starts == 0


def test_int16_output_stops_at_full_scale_instead_of_turning_round() -> None:
    loud = np.array([1.0, 1.2, -1.2, -1.0, 0.5], np.float32)
    out = PcmFormat.of(np.zeros(1, np.int16)).restore([loud])
    np.testing.assert_array_equal(out, [32767, 32767, -32768, -32768, 16384])


def test_an_empty_block_says_nothing_of_the_streams_type(enhancer: sdk.Enhancer) -> None:
    assert enhancer.process([]).shape == (0,)  # type: ignore[arg-type]
    enhancer.process(np.zeros(160, np.int16))
    assert enhancer.process(np.zeros(0)).size == 0
    assert enhancer.process(np.zeros(160, np.int16)).dtype == np.int16


def test_a_stream_that_goes_on_after_close_watches_the_load_again(enhancer: sdk.Enhancer) -> None:
    enhancer.process(np.zeros(160, np.float32))
    enhancer.close()
    enhancer.process(np.zeros(160, np.float32))
    thread = enhancer._monitor._thread
    assert thread is not None
    assert thread.is_alive()
    enhancer.close()
