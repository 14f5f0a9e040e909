"""Rooms, filters, levels and coloured noise: what each leaves alone, and what it changes by how much."""

import numpy as np
import pytest

from pse_sdk.training import augment

SECOND = 16000


def hiss(length: int, seed: int = 3) -> augment.Samples:
    return np.random.default_rng(seed).standard_normal(length).astype(np.float32)


def rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(x**2)))


def slope(x: np.ndarray) -> float:
    """By how many dB an octave the power falls between 100 Hz and 6.4 kHz."""
    power = np.abs(np.fft.rfft(x)) ** 2
    edges = [100 * 2**k for k in range(7)]
    at = [np.mean(power[int(low * len(x) / SECOND) : int(2 * low * len(x) / SECOND)]) for low in edges[:-1]]
    return -float(np.polyfit(range(6), 10 * np.log10(at), 1)[0])


def test_coloured_noise_falls_by_0_to_6_db_an_octave_at_one_level() -> None:
    drawn = [augment.coloured_noise(np.random.default_rng(seed), 4 * SECOND) for seed in range(40)]
    slopes = [slope(noise) for noise in drawn]
    assert -0.5 < min(slopes) < 1
    assert 5 < max(slopes) < 6.6
    assert np.mean(slopes) == pytest.approx(3, abs=0.7)
    np.testing.assert_allclose([rms(noise) for noise in drawn], 0.1, rtol=0.05)


def test_an_equaliser_changes_the_colour_and_keeps_the_level() -> None:
    noise = hiss(2 * SECOND)
    colours = []
    for seed in range(20):
        out = augment.random_equaliser(np.random.default_rng(seed), noise)
        assert rms(out) == pytest.approx(rms(noise), rel=1e-3)
        gain = np.abs(np.fft.rfft(out)) / np.abs(np.fft.rfft(noise))
        colours.append(20 * np.log10(gain[100:-100]))
    ranges = [np.percentile(colour, 99) - np.percentile(colour, 1) for colour in colours]
    assert np.median(ranges) > 3
    assert max(ranges) < 30
    assert not augment.random_equaliser(np.random.default_rng(0), np.zeros(100, np.float32)).any()


def test_a_room_neither_moves_nor_lifts_a_sound_and_its_early_part_ends_after_60_ms() -> None:
    response = np.zeros(SECOND // 2, np.float32)
    response[[100, 700, 880, 3000]] = (1, 0.5, 0.4, 0.3)  # 0, 37, 49 and 181 ms after the direct sound
    click = np.zeros(SECOND, np.float32)
    click[2000] = 1
    heard, early = augment.in_room(click, response)
    power = np.sqrt(np.sum(response**2))
    assert np.argmax(heard) == 2000
    np.testing.assert_allclose(heard[[2000, 2600, 2780, 4900]], response[[100, 700, 880, 3000]] / power, atol=1e-5)
    np.testing.assert_allclose(early[[2000, 2600, 2780]], heard[[2000, 2600, 2780]], atol=1e-5)
    assert np.abs(early[2000 + 960 + 1 :]).max() < 1e-5


@pytest.mark.parametrize("snr", [-10.0, 0.0, 25.0])
def test_a_gain_makes_the_snr_and_the_level_asked_for(snr: float) -> None:
    speech, noise = 0.02 * hiss(SECOND, 1), 0.3 * hiss(SECOND, 2)
    added = noise * augment.gain_for_snr(speech, noise, snr)
    assert 20 * np.log10(rms(speech) / rms(added)) == pytest.approx(snr, abs=0.01)
    assert 20 * np.log10(rms(noise * augment.gain_to_level(noise, snr))) == pytest.approx(snr, abs=0.01)


def test_silence_gets_no_gain_that_is_no_number() -> None:
    silence, noise = np.zeros(100, np.float32), hiss(100)
    assert augment.gain_for_snr(noise, silence, 5) == 0
    assert augment.gain_for_snr(silence, noise, 5) == 0
    assert augment.gain_to_level(silence, -20) == 1


@pytest.mark.parametrize(("cut", "kept", "lost"), [("low_pass", 2000, 7000), ("high_pass", 7000, 2000)])
def test_a_band_limit_leaves_one_side_and_takes_the_other(cut: str, kept: float, lost: float) -> None:
    t = np.arange(SECOND) / SECOND
    tones = [np.sin(2 * np.pi * pitch * t).astype(np.float32) for pitch in (kept, lost)]
    out = getattr(augment, cut)(np.stack(tones), 4000.0)
    inner = slice(SECOND // 4, -SECOND // 4)
    assert rms(out[0, inner]) == pytest.approx(rms(tones[0][inner]), rel=0.02)
    assert rms(out[1, inner]) < 0.02
