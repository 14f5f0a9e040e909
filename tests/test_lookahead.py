"""A model that looks ahead: what it hears of the future, what that costs in latency, and how one begins."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pse_sdk.exporters.onnx import export_onnx
from pse_sdk.exporters.read_back import read_back

import pse_sdk as sdk
from pse_sdk.errors import UsageError
from pse_sdk.level import InputLevel, level_db
from pse_sdk.models import BloomStack
from pse_sdk.models.checkpoint import save_stack
from pse_sdk.models.complexity import complexity
from pse_sdk.offset import InputOffset
from pse_sdk.silence import SpeechDetector
from pse_sdk.training.growth import begin_with
from tests.conftest import CONFIGS, make_stack, plain

BLIND = CONFIGS["e3net-16k"]
AHEAD = BLIND.replace(window=640, lookahead=2)


@pytest.fixture(scope="module")
def stack() -> BloomStack:
    return make_stack(AHEAD)


@pytest.fixture(scope="module")
def model(stack: BloomStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ahead") / "ahead.onnx"
    export_onnx(stack, path, name="ahead", precision="fp32")
    return path


def test_the_enhancer_is_what_torch_makes_of_the_whole_signal(stack: BloomStack, model: Path) -> None:
    signal = plain(50)
    enhancer = sdk.Enhancer("fixed-3", model=model)
    with torch.inference_mode():
        whole = stack(torch.from_numpy(signal)[None], 3)[0].numpy()
    np.testing.assert_allclose(enhancer.enhance(signal), whole, atol=1e-5)
    streamed = np.concatenate([*(enhancer.process(block) for block in np.split(signal, 8)), enhancer.flush()])
    np.testing.assert_allclose(streamed[enhancer.latency :], whole, atol=1e-5)


def test_each_hop_that_is_looked_ahead_is_a_hop_of_latency(model: Path, tiny_model: Path) -> None:
    assert sdk.Enhancer(model=tiny_model).latency == 320
    assert sdk.Enhancer(model=model).latency == 640


@pytest.mark.parametrize("rate", [16000, 44100])
def test_bypass_stays_aligned(model: Path, rate: int) -> None:
    enhancer = sdk.Enhancer(model=model, sample_rate=rate)
    enhancer.set_depth(0)
    signal = (0.1 * np.random.default_rng(3).standard_normal(rate // 2)).astype(np.float32)
    np.testing.assert_allclose(enhancer.enhance(signal), signal, atol=1e-6)


def test_what_comes_out_hears_so_far_ahead_and_no_farther(stack: BloomStack) -> None:
    at = 4000
    signal, other = (torch.from_numpy(plain(50))[None] for _ in range(2))
    other[:, at:] = 0.0
    with torch.inference_mode():
        changed = (stack(signal, 3) - stack(other, 3))[0].abs() > 1e-6
    first = int(changed.nonzero()[0])
    assert at - AHEAD.window < first < at - BLIND.window


def test_one_that_never_looked_ahead_begins_as_it_was(tmp_path: Path) -> None:
    before = make_stack(BLIND)
    save_stack(before, tmp_path / "w.safetensors", {})
    grown = BloomStack(AHEAD.replace(blocks=4))
    assert begin_with(grown.eval(), tmp_path / "w.safetensors") == 3
    signal = torch.from_numpy(plain(50))[None]
    later = torch.nn.functional.pad(signal, (320, 0))  # the windows of one that looks ahead begin two hops earlier
    with torch.inference_mode():
        outputs, expected = grown.forward_depths(signal, [1, 2, 3, 4]), before.forward_depths(later, [1, 2, 3, 3])
    for output, wanted in zip(outputs, expected, strict=True):
        torch.testing.assert_close(output, wanted[:, 320:])


def test_speech_is_told_from_what_comes_out_and_the_same_stretch_of_what_came_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = make_stack(BLIND)
    save_stack(blind, tmp_path / "w.safetensors", {})
    ahead = BloomStack(AHEAD)
    begin_with(ahead, tmp_path / "w.safetensors")
    signal = plain(60) * np.repeat([1.0, 0.01, 1.0], 20 * 160).astype(np.float32)
    levels: dict[str, list[tuple[float, float]]] = {}
    for name, stack in (("blind", blind), ("ahead", ahead)):
        export_onnx(stack, tmp_path / f"{name}.onnx", name=name, precision="fp32")
        seen = levels[name] = []

        def observe(_: object, noisy: np.ndarray, enhanced: np.ndarray, seen: list[tuple[float, float]] = seen) -> bool:
            seen.append((level_db(noisy[0]), level_db(enhanced[0])))
            return True

        monkeypatch.setattr(SpeechDetector, "observe", observe)
        sdk.Enhancer("fixed-3", model=tmp_path / f"{name}.onnx").enhance(signal)
    # The windows of the one that looks ahead begin two hops earlier. Its states have then seen two frames more.
    np.testing.assert_allclose(levels["ahead"][12:60], levels["blind"][10:58], atol=0.2)


def test_an_offset_and_a_level_are_followed_as_without_a_look_ahead(
    model: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offsets: list[float] = []
    levels: list[float] = []

    def follow(self: InputOffset, window: np.ndarray, remove=InputOffset.remove) -> np.ndarray:  # type: ignore[no-untyped-def]
        centred = remove(self, window)
        offsets.append(float((window - centred)[0, -1]))
        return centred

    def hear(self: InputLevel, window: np.ndarray, gain=InputLevel.gain) -> float:  # type: ignore[no-untyped-def]
        levels.append(gain(self, window))
        return levels[-1]

    monkeypatch.setattr(InputOffset, "remove", follow)
    monkeypatch.setattr(InputLevel, "gain", hear)
    for path in (model, tiny_model):
        sdk.Enhancer("fixed-1", model=path).process(0.02 * plain(40) + np.float32(0.1))
    for seen in (offsets, levels):
        np.testing.assert_allclose(seen[:40], seen[40:], rtol=1e-4)


def test_it_begins_with_no_other_filters_and_no_other_look_ahead(tmp_path: Path) -> None:
    save_stack(make_stack(AHEAD), tmp_path / "w.safetensors", {})
    for config, message in (
        (
            AHEAD.replace(window=480),
            "has filters of 320 samples.* model of 160; with lookahead = 2 they need window = 640",
        ),
        (AHEAD.replace(window=480, lookahead=1), "lookahead = 2, not 1"),
        (BLIND, "lookahead = 2, not 0"),
    ):
        with pytest.raises(UsageError, match=message):
            begin_with(BloomStack(config), tmp_path / "w.safetensors")


def test_its_weights_are_read_back(stack: BloomStack, model: Path) -> None:
    weights = read_back(model)[0].state_dict()
    for name, value in stack.state_dict().items():
        torch.testing.assert_close(weights[name], value)


def test_the_encoder_is_counted_at_every_hop_that_it_runs_at() -> None:
    seen = 2 * (AHEAD.filters + AHEAD.filters // 2) * AHEAD.channels
    per_frame = 2 * AHEAD.filters * AHEAD.filter_length + seen
    for ahead, blind in zip(complexity(AHEAD), complexity(BLIND), strict=True):
        assert ahead.macs_per_second - blind.macs_per_second == 100 * per_frame
        assert ahead.parameters - blind.parameters == seen


@pytest.mark.parametrize("lookahead", [-1, 1.0, True, 4, 10**30])
def test_a_look_ahead_that_leaves_no_filter_is_refused(lookahead: object) -> None:
    with pytest.raises(ValueError, match=r"lookahead = .* hops, at least 0, that leaves one of the window's 4"):
        AHEAD.replace(lookahead=lookahead)
