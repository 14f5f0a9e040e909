"""The streaming resampler against soxr, and its laws: any chunking, exact counts, no drift."""

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from pse_sdk.resampling import Resampler
from tests.conftest import cut

RATES = [8000, 11025, 12000, 22050, 24000, 32000, 44100, 48000, 96000, 192000]


@given(st.sampled_from(RATES), st.booleans(), st.lists(st.integers(1, 700), min_size=1, max_size=6))
def test_any_chunking_gives_the_same_samples(rate: int, inward: bool, sizes: list[int]) -> None:
    rates = (rate, 16000) if inward else (16000, rate)
    signal = np.random.default_rng(0).standard_normal(3000).astype(np.float32)
    whole, chunked = Resampler(*rates), Resampler(*rates)
    expected = np.concatenate([whole.push(signal), whole.flush()])
    pieces = [chunked.push(block) for block in cut(signal, sizes)]
    np.testing.assert_allclose(np.concatenate([*pieces, chunked.flush()]), expected, atol=1e-6)
    assert len(expected) == -(-3000 * rates[1] // rates[0])


@pytest.mark.parametrize("rate", RATES)
def test_speech_band_comes_out_as_from_soxr(rate: int) -> None:
    time = np.arange(rate // 2) / rate
    top = 0.4 * min(rate, 16000)
    signal = sum(np.sin(2 * np.pi * f * time + f) for f in np.linspace(100, top, 7)).astype(np.float32) / 7
    resampler = Resampler(rate, 16000)
    ours = np.concatenate([resampler.push(signal), resampler.flush()])
    reference = soxr.resample(signal, rate, 16000, quality="VHQ")
    middle = slice(400, min(len(ours), len(reference)) - 400)
    error = np.mean((ours[middle] - reference[middle]) ** 2) / np.mean(reference[middle] ** 2)
    assert 10 * np.log10(error) < -60


@pytest.mark.parametrize("rate", [44100, 48000, 192000])
def test_what_would_fold_back_into_speech_is_gone(rate: int) -> None:
    time = np.arange(rate // 4) / rate
    resampler = Resampler(rate, 16000)
    out = resampler.push(np.sin(2 * np.pi * 9500 * time).astype(np.float32))
    assert 20 * np.log10(np.abs(out[200:-200]).max()) < -70


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_it_holds_back_four_milliseconds_at_most(rate: int) -> None:
    resampler = Resampler(rate, 16000)
    produced = sum(len(resampler.push(np.zeros(1, np.float32))) for _ in range(rate // 10))
    assert 1600 - produced <= 0.004 * 16000 + 1


def test_hours_later_it_is_the_same_also_where_integers_have_32_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    arange = np.arange
    monkeypatch.setattr(np, "arange", lambda *bounds, dtype=np.int32: arange(*bounds, dtype=dtype))
    signal = np.random.default_rng(0).standard_normal(2000).astype(np.float32)
    fresh, late = Resampler(44100, 16000), Resampler(44100, 16000)
    periods = 4_000_000  # of 441 samples in and 160 out: 11 hours
    late._received, late._start, late._given = 441 * periods, late._start + 441 * periods, 160 * periods
    np.testing.assert_array_equal(late.push(signal), fresh.push(signal))


@pytest.mark.parametrize(("rate_in", "rate_out"), [(44099, 16000), (16000, 44099), (191999, 16000), (8001, 16000)])
def test_rates_without_a_common_factor_need_no_more_filters_and_sound_alike(rate_in: int, rate_out: int) -> None:
    time = np.arange(rate_in // 2) / rate_in
    top = 0.4 * min(rate_in, rate_out)
    signal = sum(np.sin(2 * np.pi * f * time + f) for f in np.linspace(100, top, 7)).astype(np.float32) / 7
    resampler = Resampler(rate_in, rate_out)
    assert resampler._bank.nbytes < 4_000_000
    ours = np.concatenate([resampler.push(signal), resampler.flush()])
    n = np.arange(len(ours)) / rate_out
    wanted = sum(np.sin(2 * np.pi * f * n + f) for f in np.linspace(100, top, 7)) / 7
    middle = slice(400, len(ours) - 400)
    error = np.mean((ours[middle] - wanted[middle]) ** 2) / np.mean(wanted[middle] ** 2)
    assert 10 * np.log10(error) < -75
