"""An offset of the microphone changes nothing of what is heard."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pse_sdk as sdk
from pse_sdk.offset import CORNER_HZ, InputOffset
from tests.conftest import plain

HOP_S = 0.01
OFFSETS = [0.003, -0.05, 0.4]


def windows(signal: np.ndarray) -> list[np.ndarray]:
    """Two hops long, one hop apart, of float32 samples: [1, 320] each."""
    return [signal[None, at : at + 320].astype(np.float32) for at in range(0, len(signal) - 319, 160)]


@given(offset=st.floats(-0.9, 0.9), level=st.floats(0, 0.1))
def test_a_constant_offset_is_taken_away_from_the_first_window_on(offset: float, level: float) -> None:
    signal = level * plain(20)
    remover = InputOffset(HOP_S, 320)
    for with_offset, without in zip(windows(signal + np.float32(offset)), windows(signal), strict=True):
        if with_offset.any():
            np.testing.assert_allclose(remover.remove(with_offset), without, atol=1e-6)


def test_a_step_is_followed_as_by_a_filter_of_first_order() -> None:
    remover = InputOffset(HOP_S, 320)
    for _ in range(200):
        remover.remove(np.full((1, 320), 1e-6, np.float32))
    left = [float(remover.remove(np.full((1, 320), 0.1, np.float32)).mean()) for _ in range(8)]
    seconds = np.arange(1, 9) * HOP_S
    np.testing.assert_allclose(left, 0.1 * np.exp(-2 * np.pi * CORNER_HZ * seconds), atol=1e-4)


def test_a_voice_keeps_its_lowest_harmonics() -> None:
    voice = 0.1 * np.sin(2 * np.pi * 85 * np.arange(16000) / 16000)
    remover = InputOffset(HOP_S, 320)
    changed = [np.abs(remover.remove(window) - window).max() for window in windows(voice)]
    assert max(changed[20:]) < 0.1 * 10 ** (-30 / 20)


def test_digital_silence_stays_silent_and_is_no_offset() -> None:
    remover, silence = InputOffset(HOP_S, 320), np.zeros((1, 320), np.float32)
    for window in windows(plain(20) + np.float32(0.2)):
        remover.remove(window)
    assert not any(remover.remove(silence).any() for _ in range(100))
    (window,) = windows(plain(2))
    np.testing.assert_allclose(remover.remove(window + np.float32(0.2)), window, atol=1e-3)


def test_a_new_stream_begins_anew() -> None:
    remover = InputOffset(HOP_S, 320)
    remover.remove(np.full((1, 320), 0.2, np.float32))
    remover.reset()
    (window,) = windows(plain(2))
    np.testing.assert_allclose(remover.remove(window), window, atol=1e-6)


@pytest.mark.parametrize("offset", OFFSETS)
def test_what_is_enhanced_is_the_same_with_an_offset(tiny_model, offset: float) -> None:
    # The first window holds nothing before the recording: there the offset is a step, and the model remembers it.
    signal, heard = plain(200), slice(16000, -320)
    enhancer = sdk.Enhancer("fixed-2", model=tiny_model)
    clean, of_offset = enhancer.enhance(signal)[heard], enhancer.enhance(signal + np.float32(offset))[heard]
    assert np.std(of_offset - clean) < 0.02 * np.std(clean)


@pytest.mark.parametrize("offset", OFFSETS)
def test_bypass_keeps_the_offset(tiny_model, offset: float) -> None:
    signal = plain(40) + np.float32(offset)
    enhancer = sdk.Enhancer(model=tiny_model)
    enhancer.set_depth(0)
    np.testing.assert_allclose(enhancer.enhance(signal), signal, atol=1e-6)
