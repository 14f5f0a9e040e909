"""Metrics on signals for which the answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_sdk.evaluation.metrics.suppression import OverSuppression, interferer_suppression_db, over_suppression
from pse_sdk.training.speaker.verification import equal_error_rate


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(int(seconds * 16000)).astype(np.float32)


def test_nothing_is_over_suppressed_when_nothing_is_taken_away() -> None:
    target = noise(1)
    assert over_suppression(target, target).suppressed == 0
    assert over_suppression(3 * target, target).suppressed == 0  # louder is not suppressed
    assert over_suppression(target + noise(1, 1), target).percent < 5


def test_silence_over_suppresses_every_frame_and_a_gap_only_its_own() -> None:
    target = noise(2)
    whole = over_suppression(np.zeros_like(target), target)
    assert whole.percent == 100
    gap = target.copy()
    gap[8000:16000] = 0  # half a second of two
    part = over_suppression(gap, target)
    assert part.suppressed * 0.01 == pytest.approx(0.5, abs=0.04)
    assert part.seconds_per_half_hour == pytest.approx(450, rel=0.08)


@given(st.floats(0.0, 1.0), st.integers(0, 50))
def test_over_suppression_grows_with_attenuation_and_ignores_the_level(gain: float, seed: int) -> None:
    # All of a frame's magnitudes at gain g miss (1 - g^p)^2 of its own: a threshold of 0.1 is met at 0.27.
    target = noise(0.3, seed)
    expected = 100 if gain < 0.26 else 0 if gain > 0.29 else None
    percent = over_suppression(gain * target, target).percent
    assert expected is None or percent == expected
    assert over_suppression(0.05 * gain * target, 0.05 * target).percent == percent


def test_pauses_of_the_target_do_not_count() -> None:
    target = np.concatenate([noise(1), np.zeros(16000, np.float32)])
    counted = over_suppression(np.zeros_like(target), target)
    assert counted.active == pytest.approx(counted.frames / 2, rel=0.05)
    assert counted.percent == 100


def test_counts_of_recordings_add_up() -> None:
    assert OverSuppression(10, 5, 1) + OverSuppression(30, 5, 2) == OverSuppression(40, 10, 3)
    assert OverSuppression().percent == 0


def test_suppression_of_others_is_measured_where_the_target_is_silent() -> None:
    target = np.concatenate([noise(1), np.zeros(16000, np.float32)])
    others = noise(2, 1)
    output = target + np.concatenate([others[:16000], 0.1 * others[16000:]])
    assert interferer_suppression_db(target + others, output, target, others) == pytest.approx(20, abs=0.5)
    assert np.isnan(interferer_suppression_db(target, target, target, np.zeros_like(target)))


def test_the_equal_error_rate_is_where_both_errors_meet() -> None:
    same = np.array([True] * 100 + [False] * 100)
    assert equal_error_rate(np.where(same, 1.0, 0.0), same) == 0
    assert equal_error_rate(np.where(same, 0.0, 1.0), same) == pytest.approx(1, abs=0.02)
    for order in (same, ~same):
        assert equal_error_rate(np.zeros(len(order)), order) == pytest.approx(0.5)
    # Two unit normals two apart cross where each has 15.9 % on the wrong side.
    rng = np.random.default_rng(0)
    many = np.repeat(same, 200)
    assert equal_error_rate(rng.standard_normal(len(many)) + 2 * many, many) == pytest.approx(0.159, abs=0.01)
