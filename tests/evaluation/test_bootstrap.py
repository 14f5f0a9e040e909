"""Intervals against cases that can be worked out."""

import numpy as np
import pytest
import scipy.stats

from pse_sdk.evaluation.bootstrap import Values, estimate


def equal(values: np.ndarray) -> Values:
    return Values(np.asarray(values, np.float64), np.ones(len(values)))


def test_the_interval_of_a_normal_sample_is_the_textbooks() -> None:
    x = np.random.default_rng(1).standard_normal(400)
    e = estimate(equal(x))
    low, high = scipy.stats.norm.interval(0.95, x.mean(), x.std() / np.sqrt(len(x)))
    assert (e.mean, e.low, e.high) == pytest.approx((x.mean(), low, high), abs=0.01)
    reference = scipy.stats.bootstrap((x,), np.mean, method="percentile", n_resamples=4000, random_state=0)
    assert (e.low, e.high) == pytest.approx(tuple(reference.confidence_interval), abs=0.01)


def test_about_95_of_100_intervals_hold_the_true_mean() -> None:
    held = 0
    for seed in range(100):
        e = estimate(equal(np.random.default_rng(seed).exponential(size=60)))
        held += e.low <= 1 <= e.high
    assert 85 <= held <= 99  # percentile intervals of a skewed sample are known to be a little narrow


def test_the_same_values_give_the_same_interval() -> None:
    x = np.random.default_rng(2).standard_normal(30)
    assert estimate(equal(x)) == estimate(equal(x.copy()))


def test_items_without_a_value_are_left_out() -> None:
    with_gap = estimate(equal(np.array([1.0, np.nan, 3.0, 2.0, 4.0, 5.0, 3.0])))
    assert with_gap == estimate(equal(np.array([1.0, 3.0, 2.0, 4.0, 5.0, 3.0])))
    assert (with_gap.mean, with_gap.items) == (3, 6)
    one = estimate(equal(np.array([np.nan, 3.0])))
    assert (one.mean, one.sign, one.items) == (3, 0, 1)
    assert np.isnan(one.low)
    nothing = estimate(equal(np.array([np.nan, np.nan])))
    assert nothing.items == 0
    assert np.isnan(nothing.mean)


def test_too_few_items_have_no_interval() -> None:
    """Of five, 14 % of the intervals would miss the mean, and of two equal ones none has a width."""
    e = estimate(equal(np.array([1.0, 1.0, 1.1, 1.2, 0.9])))
    assert (e.mean, e.sign, e.items) == (pytest.approx(1.04), 0, 5)
    assert np.isnan([e.low, e.high]).all()


def test_a_weighted_mean_is_the_rate_over_all_words() -> None:
    # 1 of 10 words wrong and 3 of 5: 4 of 15, not the mean of the two rates.
    e = estimate(Values(np.repeat([10.0, 60.0], 3), np.repeat([10.0, 5.0], 3)))
    assert e.mean == pytest.approx(100 * 4 / 15)
    assert e.low >= 10
    assert e.high <= 60


def test_a_small_steady_difference_is_seen_where_unpaired_intervals_overlap() -> None:
    rng = np.random.default_rng(3)
    hardness = 5 * rng.standard_normal(50)
    a, b = equal(hardness + 0.3 + 0.1 * rng.standard_normal(50)), equal(hardness)
    assert estimate(a).low < estimate(b).high
    difference = estimate(a.minus(b))
    assert difference.sign == 1
    assert estimate(b.minus(a)).sign == -1
    assert (difference.low, difference.high) == pytest.approx((0.27, 0.33), abs=0.03)


def test_one_system_against_itself_is_no_difference() -> None:
    x = equal(np.random.default_rng(4).standard_normal(20))
    assert estimate(x.minus(x)) == (0, 0, 0, 20)
    assert estimate(x.minus(x)).sign == 0
