"""Framing and overlap-add without a model."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_sdk.streaming import Framer, OverlapAdd, RateAdapter
from tests.conftest import cut

WINDOW, HOP = 320, 160


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=10), st.sampled_from([(320, 160), (48, 16), (16, 16)]))
def test_windows_are_the_same_for_any_blocks(sizes: list[int], shape: tuple[int, int]) -> None:
    window, hop = shape
    signal = np.arange(3000, dtype=np.float32)
    framer, windows = Framer(window, hop), []
    for block in cut(signal, sizes):
        framer.push(block)
        while (w := framer.pop()) is not None:
            windows.append(w[0].copy())
    padded = np.concatenate([np.zeros(window - hop, np.float32), signal])
    expected = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    np.testing.assert_array_equal(windows, expected[: len(windows)])
    assert len(windows) == 3000 // hop


def test_windows_that_sum_to_one_give_the_signal_back() -> None:
    signal = np.random.default_rng(0).standard_normal(HOP * 10).astype(np.float32)
    taper = np.sin(np.pi * (np.arange(WINDOW) + 0.5) / WINDOW).astype(np.float32) ** 2
    framer, adder, out = Framer(WINDOW, HOP), OverlapAdd(WINDOW, HOP), []
    framer.push(signal)
    while (w := framer.pop()) is not None:
        out.append(adder.add(w * taper, np.zeros_like(w), wet=1.0))
    np.testing.assert_allclose(np.concatenate(out)[HOP:], signal[:-HOP], atol=1e-6)


def test_a_new_blend_is_reached_over_one_hop_without_a_step() -> None:
    adder = OverlapAdd(WINDOW, HOP)
    noisy, enhanced = np.ones((1, WINDOW), np.float32), np.zeros((1, WINDOW), np.float32)
    hops = [adder.add(enhanced, noisy, wet) for wet in (1.0, 1.0, 0.0, 0.0, 0.5, 0.5)]
    out = np.concatenate(hops)
    assert np.abs(np.diff(out)).max() <= 1 / HOP + 1e-6
    assert (out[HOP - 1], out[4 * HOP - 1], out[-1]) == pytest.approx((0, 1, 0.5))


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000])
@given(sizes=st.lists(st.integers(1, 2000), min_size=1, max_size=5))
def test_samples_come_out_as_many_as_went_in_and_are_never_late(rate: int, sizes: list[int]) -> None:
    adapter, framer = RateAdapter(rate, 16000, WINDOW, HOP), Framer(WINDOW, HOP)
    for block in cut(np.ones(6000, np.float32), sizes):
        framer.push(adapter.enter(block))
        while (w := framer.pop()) is not None:
            adapter.leave(w[0, :HOP], w[0, :HOP])
        before = len(adapter._ready)
        assert before >= len(block), "the latency is too short: silence would have to be made up"
        assert len(adapter.take(len(block))) == len(block)
