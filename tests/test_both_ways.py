"""Recordings enhanced from both ends: the mean of both, of any length, in any blocks."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pse_sdk as sdk
from pse_sdk import both_ways
from tests.conftest import cut

Make = Callable[..., np.ndarray]


@pytest.fixture
def enhancer(tiny_model: Path) -> Iterator[sdk.Enhancer]:
    with sdk.Enhancer(model=tiny_model) as enhancer:
        yield enhancer


@pytest.mark.parametrize("warm_start", [True, False])
@pytest.mark.parametrize("seconds", [0.001, 0.7, 6.013])
def test_it_is_the_mean_of_both_directions(
    enhancer: sdk.Enhancer, speechlike: Make, seconds: float, warm_start: bool
) -> None:
    signal = speechlike(int(seconds * 16000))
    lead = (80 - len(signal)) % 160  # to half a hop beside the windows of the other direction
    turned = np.pad(signal[::-1], (lead, 0), mode="symmetric")
    backwards = enhancer.enhance(turned, warm_start=warm_start)[lead:][::-1]
    expected = 0.6 * enhancer.enhance(signal, warm_start=warm_start) + 0.4 * backwards
    out = enhancer.enhance(signal, warm_start=warm_start, both_ways=True)
    np.testing.assert_allclose(out, expected, atol=1e-6)


@given(
    sizes=st.lists(st.integers(1, 30000), min_size=1, max_size=6),
    length=st.integers(1, 150_000),
    rate=st.sampled_from([8000, 16000, 44100]),
)
def test_a_recording_in_any_blocks_is_the_whole_recording(
    tiny_model: Path, speechlike: Make, sizes: list[int], length: int, rate: int
) -> None:
    with pytest.MonkeyPatch.context() as patch, sdk.Enhancer(model=tiny_model) as enhancer:
        patch.setattr(both_ways, "SEGMENT_S", 1.0)
        patch.setattr(both_ways, "WARM_START_S", 0.5)
        signal = np.stack([speechlike(length, seed) for seed in (1, 2)], axis=1)
        blocks = list(enhancer.enhance_blocks(iter(cut(signal, sizes)), rate, both_ways=True))
        whole = enhancer.enhance(signal, rate, both_ways=True)
        assert whole.shape == signal.shape
        np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-6)


def test_segments_are_not_heard(enhancer: sdk.Enhancer, speechlike: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    signal = speechlike(14 * 16000)
    whole = enhancer.enhance(signal, warm_start=True, both_ways=True)
    monkeypatch.setattr(both_ways, "SEGMENT_S", 2.0)
    segments = enhancer.enhance(signal, warm_start=True, both_ways=True)
    difference = np.abs(segments - whole)
    assert 0 < difference.max() < 0.02 * np.abs(whole).max()


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(3000,), (3000, 1), (3000, 3)])
def test_type_and_shape_are_kept(enhancer: sdk.Enhancer, dtype: type, shape: tuple[int, ...]) -> None:
    signal = 0.1 * np.random.default_rng(0).standard_normal(shape)
    audio = (signal * 32767).astype(dtype) if dtype is np.int16 else signal.astype(dtype)
    out = enhancer.enhance(audio, sample_rate=22050, both_ways=True)
    assert (out.dtype, out.shape) == (audio.dtype, audio.shape)
    assert out.any()


def test_bypass_is_the_input(enhancer: sdk.Enhancer, speechlike: Make) -> None:
    enhancer.set_depth(0)
    signal = speechlike(3000)
    np.testing.assert_allclose(enhancer.enhance(signal, both_ways=True), signal, atol=1e-6)


def test_bad_samples_count_once_and_what_one_way_refuses_is_refused(enhancer: sdk.Enhancer) -> None:
    signal = np.full(1600, 0.1, np.float32)
    signal[100:110] = np.nan
    assert np.isfinite(enhancer.enhance(signal, warm_start=True, both_ways=True)).all()
    assert enhancer.stats().replaced_samples == 10
    assert enhancer.enhance(np.zeros((0, 2), np.int16), both_ways=True).shape == (0, 2)
    with pytest.raises(sdk.PseError):
        enhancer.enhance("noisy.flac", both_ways=True)  # type: ignore[arg-type]
    for other in (np.zeros(160, np.float64), np.zeros((160, 2), np.float32), np.full(160, 1000.0, np.float32)):
        with pytest.raises(sdk.PseError):
            list(enhancer.enhance_blocks([signal, other], both_ways=True))
