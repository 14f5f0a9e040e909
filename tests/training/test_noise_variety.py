from collections.abc import Callable

import numpy as np
import pytest

from pse_sdk.training import noise_variety
from pse_sdk.training.augment import Samples

SECOND = 16000
KINDS = [noise_variety.hum, noise_variety.knocks, noise_variety.whistles, noise_variety.synthetic_noise]


def hiss(length: int) -> Samples:
    return np.random.default_rng(3).standard_normal(length).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_synthetic_noise_is_finite_sounds_and_follows_the_seed(
    kind: Callable[[np.random.Generator, int], Samples],
) -> None:
    for seed in range(20):
        noise = kind(np.random.default_rng(seed), 2 * SECOND)
        assert noise.dtype == np.float32
        assert len(noise) == 2 * SECOND
        assert np.isfinite(noise).all()
        np.testing.assert_array_equal(noise, kind(np.random.default_rng(seed), 2 * SECOND))
        assert kind is noise_variety.whistles or np.sqrt(np.mean(noise**2)) > 1e-3  # whistles may pause that long


def test_varied_noise_has_the_length_asked_for_and_is_no_copy_of_the_recording() -> None:
    for seed in range(20):
        noise = noise_variety.vary(np.random.default_rng(seed), hiss, SECOND)
        assert noise.dtype == np.float32
        assert len(noise) == SECOND
        correlation = np.dot(noise, hiss(SECOND)) / np.linalg.norm(noise) / np.linalg.norm(hiss(SECOND))
        assert abs(correlation) < 0.7


def test_grains_keep_the_sounds_and_lose_their_order() -> None:
    ramp = np.linspace(0, 1, SECOND, dtype=np.float32)  # the value says where a sample came from
    shuffled = [noise_variety.in_grains(np.random.default_rng(seed), ramp) for seed in range(20)]
    assert all(len(x) == SECOND for x in shuffled)
    assert np.mean(shuffled) == pytest.approx(ramp.mean(), abs=0.05)
    assert abs(np.mean([np.corrcoef(x, ramp)[0, 1] for x in shuffled])) < 0.3


def test_recolouring_changes_the_spectrum_and_not_the_timing() -> None:
    click = np.zeros(SECOND, np.float32)
    click[SECOND // 2] = 1
    coloured = noise_variety.recoloured(np.random.default_rng(1), click)
    assert np.argmax(np.abs(coloured)) == SECOND // 2
    gains = 20 * np.log10(np.abs(np.fft.rfft(coloured))[100:])
    assert gains.std() > 2


def test_varied_noise_runs_at_half_to_double_speed() -> None:
    pitches = []

    def tone(length: int) -> Samples:
        return np.sin(2 * np.pi * 1000 * np.arange(length) / SECOND).astype(np.float32)

    for seed in range(60):
        spectrum = np.abs(np.fft.rfft(noise_variety.vary(np.random.default_rng(seed), tone, SECOND)))
        pitches.append(np.argmax(spectrum))
    assert 450 < min(pitches) < 600
    assert 1700 < max(pitches) < 2100
    assert 850 < np.median(pitches) < 1200


def test_swelling_changes_the_loudness_over_time_and_nothing_within_20_ms() -> None:
    steady = np.ones(20 * SECOND, np.float32)
    gains = [20 * np.log10(noise_variety.swelling(np.random.default_rng(seed), steady)) for seed in range(10)]
    assert np.std(gains) == pytest.approx(6.5, abs=1.5)  # 8 dB at the knots, less between them
    # From one knot to the next, 50 ms later at the least, hardly ever by more than 35 dB.
    assert max(np.abs(np.diff(gain[::320])).max() for gain in gains) < 25
