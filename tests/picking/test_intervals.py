"""Intervals for a handful of values: what they hold, how they learn from each other, and what they do not claim."""

import math

import numpy as np
import pytest
from scipy import stats

from pipeline.picking.intervals import STRENGTH, STRICTER, Estimate, Scale, estimates, share_interval


def test_a_distance_is_compared_by_its_logarithm_and_turned_so_that_less_is_better() -> None:
    fid = Scale.of("fid", [20.0, 30.0], {})
    assert fid.kind == "logarithm"
    assert fid.back(fid.to(17.5)) == pytest.approx(17.5)
    density = Scale.of("density", [0.5, 1.2], {})
    assert density.kind == "plain"
    assert density.to(1.2) < density.to(0.5)
    assert density.interval((-0.9, -0.5)) == (0.5, 0.9)
    assert Scale.of("fid", [20.0, 0.0], {}).kind == "plain"
    assert fid.interval(None) is None


def test_a_share_stays_between_0_and_1() -> None:
    coverage = Scale.of("coverage", [0.5, 0.0, 1.0], {})
    for score in (0.0, 0.3, 1.0):
        assert coverage.back(coverage.to(score)) == pytest.approx(score)
    assert coverage.to(0.9) < coverage.to(0.5)
    (found,) = estimates([[coverage.to(score) for score in (0.6, 0.85)]])
    assert coverage.interval(found.interval()) == pytest.approx((0.0, 1.0))  # of two values nothing is known
    (found,) = estimates([[coverage.to(score) for score in (0.8, 0.81, 0.79, 0.8)]])
    low, high = coverage.interval(found.interval()) or (0.0, 0.0)
    assert 0.77 < low < 0.8 < high < 0.83


def test_of_one_group_the_interval_is_students() -> None:
    values = [1.0, 2.0, 4.0, 4.5]
    (found,) = estimates([values])
    low, high = found.interval(0.9)  # type: ignore[misc]
    expected = stats.t.interval(1 - STRICTER * 0.1, 3, np.mean(values), stats.sem(values))
    assert (low, high) == pytest.approx(expected)


def test_a_prediction_is_wider_than_the_interval_and_both_narrow_with_more_values() -> None:
    few, many = estimates([[1.0, 2.0, 3.0]])[0], estimates([[1.0, 2.0, 3.0] * 4])[0]
    for estimate in (few, many):
        interval, prediction = estimate.interval(0.9), estimate.prediction(0.9)
        assert prediction[0] < interval[0] < interval[1] < prediction[1]  # type: ignore[index]
    assert few.interval()[1] - few.interval()[0] > many.interval()[1] - many.interval()[0]  # type: ignore[index]


def test_alike_groups_share_their_variance_and_unlike_ones_keep_more_of_their_own() -> None:
    random = np.random.default_rng(1)
    alike = [list(random.normal(0, 1, 4)) for _ in range(8)]
    own = [float(np.var(group, ddof=1)) for group in alike]
    moved = [estimate.variance for estimate in estimates(alike)]
    assert np.std(moved) < 0.5 * np.std(own)
    unlike = [list(random.normal(0, 3.0 ** (at - 4), 12)) for at in range(8)]
    for estimate, group in zip(estimates(unlike), unlike, strict=True):
        assert abs(np.log(estimate.variance) - np.log(np.var(group, ddof=1))) < np.log(6)
        assert 11 < estimate.freedom < 11 + STRENGTH


def test_a_single_value_borrows_the_others_variance_and_alone_it_has_no_interval() -> None:
    single, other = estimates([[5.0], [1.0, 2.0, 3.0]])
    assert single.variance > 0
    assert single.interval() is not None
    assert other.mean == 2.0
    (alone,) = estimates([[5.0]])
    assert math.isnan(alone.variance)
    assert alone.interval() is None
    assert alone.prediction() is None
    assert not alone.above(-1e9)


def test_values_that_are_all_the_same_are_no_division_by_zero() -> None:
    for estimate in estimates([[25.0, 25.0, 25.0]] * 4):
        assert estimate.interval() == (25.0, 25.0)
    spread = estimates([[25.0, 25.0, 25.0], [24.0, 25.0, 22.0], [20.0, 25.0, 21.0]])
    assert all(math.isfinite(estimate.variance) and estimate.variance > 0 for estimate in spread)


def test_above_is_a_one_sided_test() -> None:
    estimate = Estimate(mean=2.0, variance=1.0, count=4, freedom=3)
    critical = float(stats.t.ppf(0.95, 3)) * 0.5
    assert estimate.above(2.0 - critical - 1e-6)
    assert not estimate.above(2.0 - critical + 1e-6)


@pytest.mark.parametrize("seeds", [1, 3, 5, 10])
def test_the_interval_of_a_share_holds_it_and_reaches_the_ends_only_where_all_or_none_was_seen(seeds: int) -> None:
    for healthy in range(seeds + 1):
        low, high = share_interval(healthy, seeds)
        assert 0 <= low <= healthy / seeds <= high <= 1
        assert (low == 0) == (healthy == 0)
        assert (high == 1) == (healthy == seeds)
    with pytest.raises(ValueError):
        share_interval(seeds + 1, seeds)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_the_interval_of_a_share_covers_it_on_average(seeds: int) -> None:
    covered = []
    for share in np.linspace(0.02, 0.98, 49):
        chances = stats.binom.pmf(range(seeds + 1), seeds, share)
        holds = [low <= share <= high for low, high in (share_interval(n, seeds) for n in range(seeds + 1))]
        covered.append(float(chances @ np.array(holds)))
    assert np.mean(covered) >= 0.93


def test_a_noisy_group_among_quiet_ones_is_not_predicted_too_narrowly() -> None:
    quiet = [[10.0, 10.01, 9.99, 10.005] for _ in range(4)]
    noisy = [0.0, 1.0, -1.0, 0.5]
    found = estimates([noisy, *quiet])[0]
    (alone,) = estimates([noisy])
    low, high = found.prediction()  # type: ignore[misc]
    assert high - low >= alone.prediction()[1] - alone.prediction()[0] - 1e-9  # type: ignore[index]


def test_a_share_may_be_rounded_beyond_its_ends_and_no_further() -> None:
    scale = Scale.of("coverage", [0.5], {})
    assert (scale.to(1 + 1e-9), scale.to(-1e-9)) == (scale.to(1.0), scale.to(0.0))
    for none in (1.5, -0.1):
        with pytest.raises(ValueError, match="math domain error"):
            scale.to(none)
