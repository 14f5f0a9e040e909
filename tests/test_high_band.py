"""The band above the model's: kept in full, or attenuated as the top of the model's own band is."""

import numpy as np
import pytest

from pse_sdk.high_band import HighBand
from pse_sdk.resampling import Resampler
from tests.conftest import plain

RATE, MODEL_RATE, HOP = 48000, 16000, 160


def round_trip(signal: np.ndarray, change) -> np.ndarray:
    """``signal`` at 48 kHz with ``change`` applied to its lower band, hop by hop."""
    band, inward, outward = HighBand(RATE, MODEL_RATE, HOP), Resampler(RATE, MODEL_RATE), Resampler(MODEL_RATE, RATE)
    band.enter(signal)
    low = np.concatenate([inward.push(signal), inward.flush()])
    low = low[: len(low) // HOP * HOP]
    out = [band.join(outward.push(band.split(change(hop), hop))) for hop in low.reshape(-1, HOP)]
    return np.concatenate([*out, band.join(outward.flush())])


def tone(hz: float, seconds: float = 0.5) -> np.ndarray:
    return (0.2 * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def level(signal: np.ndarray, hz: float) -> float:
    """Amplitude of one frequency in the middle of a signal."""
    middle = signal[RATE // 8 : -RATE // 8]
    probe = np.exp(-2j * np.pi * hz * np.arange(len(middle)) / RATE)
    return float(2 * np.abs(np.mean(middle * probe)))


def test_what_the_model_passes_comes_back_in_full_band() -> None:
    signal = (0.1 * np.random.default_rng(0).standard_normal(RATE // 2)).astype(np.float32)
    np.testing.assert_allclose(round_trip(signal, lambda hop: hop), signal, atol=1e-6)


@pytest.mark.parametrize("gain", [0.0, 0.1, 0.5])
def test_what_the_model_attenuates_is_attenuated_above_its_band_too(gain: float) -> None:
    signal = tone(6000) + tone(12000)
    out = round_trip(signal, lambda hop: gain * hop)
    assert level(out, 6000) == pytest.approx(0.2 * gain, abs=0.004)
    assert level(out, 12000) == pytest.approx(0.2 * gain, abs=0.004)


def test_removing_low_frequencies_alone_leaves_the_high_band() -> None:
    signal = tone(6000) + tone(12000)
    rumble = tone(200)
    low_rumble = Resampler(RATE, MODEL_RATE).push(rumble)
    hops = iter(low_rumble[: len(low_rumble) // HOP * HOP].reshape(-1, HOP))
    out = round_trip(signal + rumble, lambda hop: hop - next(hops, np.zeros(HOP, np.float32)))
    assert level(out, 12000) == pytest.approx(0.2, abs=0.01)
    assert level(out, 200) < 0.01


def test_noise_after_digital_silence_is_attenuated_at_once() -> None:
    """Nothing of it says what comes: a gain that goes on from 1 let 50 ms of hiss through after every gap."""
    signal = (0.1 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)
    signal[RATE // 3 : RATE * 2 // 3] = 0
    out = round_trip(signal, lambda hop: 1e-3 * hop)
    after = slice(RATE * 2 // 3, RATE * 2 // 3 + RATE // 20)
    assert np.std(out[after]) < 0.03 * np.std(signal[after])


def test_a_gain_never_amplifies() -> None:
    signal = tone(6000) + tone(12000)
    assert level(round_trip(signal, lambda hop: 3 * hop), 12000) == pytest.approx(0.2, abs=0.004)


def test_a_gain_that_changes_is_followed() -> None:
    """A lowpass that closes after half a second: what lies above the model's band goes with it."""
    hops = iter(range(10**6))
    signal = tone(6000, 1.0) + tone(12000, 1.0)
    out = round_trip(signal, lambda hop: (0.0 if next(hops) >= 50 else 1.0) * hop)
    assert np.abs(out[: RATE * 45 // 100] - signal[: RATE * 45 // 100]).max() < 1e-3
    assert np.abs(out[RATE * 55 // 100 : RATE * 95 // 100]).max() < 0.01


def test_a_gain_moves_evenly_from_hop_to_hop() -> None:
    band, noise = HighBand(48000, 16000, 160), plain(1)
    band.enter(np.ones(480 * 20, np.float32))
    out = []
    for hop in range(20):
        band.split((1.0 if hop < 10 else 0.1) * noise, noise)
        out.append(band.join(np.zeros(480, np.float32)))
    gain = np.concatenate(out)
    assert gain[-1] < 0.11
    fall, smoothing = 0.9, 0.6
    assert np.abs(np.diff(gain)).max() < 1.2 * smoothing * fall / 480
