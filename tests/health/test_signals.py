"""What the signals' curves are, from measurements made by hand."""

import math
import random
from dataclasses import replace

import pytest

from pipeline.health.signals import Context, curve, noise, value
from pipeline.record.measurement import Measurement
from pipeline.schema.health import SIGNALS
from pipeline.training.state import DISCRIMINATOR_MEASURES, GENERATOR_MEASURES

FID = Context("fid", minimise=True, floor=10.0, floor_spread=2.0)


def run(metric: str = "fid", **series: list[float | None]) -> list[Measurement]:
    """One measurement for each place of the series; `metric` goes to the metrics, None is a value that is not there."""
    length = len(next(iter(series.values())))
    made = []
    for i in range(length):
        there = {name: v for name, values in series.items() if (v := values[i]) is not None}
        metrics = {name: v for name, v in there.items() if name == metric}
        signals = {name: v for name, v in there.items() if name != metric}
        made.append(Measurement((i + 1) * 100, metrics, signals, float(i)))
    return made


def values(signal: str, measurements: list[Measurement], context: Context = FID) -> list[float]:
    return [found for _, found in curve(signal, measurements, context)]


def test_excess_is_the_distance_above_the_floor_over_the_best_so_far() -> None:
    assert values("excess", run(fid=[30.0, 20.0, 40.0, 15.0])) == [1.0, 1.0, 3.0, 1.0]


def test_the_best_below_the_floor_counts_as_the_floors_spread() -> None:
    assert values("excess", run(fid=[9.0, 14.0])) == [-0.5, 2.0]


def test_without_a_floor_excess_is_the_ratio_to_the_best() -> None:
    assert values("excess", run(fid=[8.0, 4.0, 6.0]), Context("fid", minimise=True)) == [1.0, 1.0, 1.5]


def test_excess_over_a_best_of_exactly_nothing_is_infinite() -> None:
    assert values("excess", run(fid=[0.0, 0.5]), Context("fid", minimise=True)) == [0.0, math.inf]


def test_excess_in_noise_counts_the_floors_spread_and_the_runs_own_noise() -> None:
    own = 1.4826 / math.sqrt(2) * 8.0  # every step is 8
    found = values("excess_in_noise", run(fid=[36.0, 28.0, 20.0, 28.0]))
    assert found[:3] == [0.0, 0.0, 0.0]
    assert found[3] == pytest.approx(8.0 / math.hypot(own, 2.0))


def test_a_run_that_swings_is_not_taken_for_a_noisy_one() -> None:
    swinging = run(fid=[20.0, 200.0] * 3)
    assert values("excess_in_noise", swinging)[-1] == pytest.approx(180.0 / math.hypot(10.0, 2.0))  # half of its best
    measured = [replace(each, errors={"fid": 5.0}) for each in swinging]
    assert values("excess_in_noise", measured)[-1] == pytest.approx(180.0 / math.hypot(4 * 5.0, 5.0))


def test_decline_is_of_medians_of_three() -> None:
    found = values("decline", run(fid=[30.0, 20.0, 25.0, 90.0, 40.0, 42.0]))
    assert found == [pytest.approx(each) for each in (1.0, 1.0, 2.0, 2.133333)]


def test_improvement_is_of_the_last_four_evaluations_over_those_before() -> None:
    assert values("improvement", run(fid=[30.0])) == []
    assert values("improvement", run(fid=[30.0, 32.0, 29.0])) == [pytest.approx(-2.0), pytest.approx(1 / 3.2, rel=0.2)]
    steady = values("improvement", run(fid=[100.0 - 10 * i for i in range(8)]))
    assert min(steady) > 0.9
    assert values("improvement", run(fid=[20.0, 21.0, 20.5, 22.0])) == [
        pytest.approx(each) for each in (-1.0, -0.5, -0.5)
    ]
    assert values("improvement", run("recall", recall=[0.2, 0.3, 0.4, 0.9]), Context("recall", minimise=False))[-1] > 1


def test_floors_and_the_share_of_the_worst_class() -> None:
    assert values("floors", run(fid=[30.0])) == [30.0 / FID.floor]  # type: ignore[operator]
    assert values("floors", run(fid=[30.0]), Context("fid", minimise=True)) == []
    seen = [Measurement(1, {}, {"coverage": 0.8, "worst_class_coverage": 0.1}, 0.0), Measurement(2, {}, {}, 0.0)]
    assert values("worst_class_share", seen) == [0.125]


def test_noise_of_independent_values_is_their_standard_deviation() -> None:
    draw = random.Random(0)
    series = [100.0 + draw.gauss(0.0, 3.0) for _ in range(4000)]
    assert noise(series) == pytest.approx(3.0, rel=0.05)
    assert noise([*series, 1e9]) == pytest.approx(3.0, rel=0.05)  # one blow-up is not noise
    assert noise([1.0]) == 0.0


@pytest.mark.parametrize("signal", ["excess", "excess_in_noise"])
def test_excess_is_not_there_where_more_is_better_or_the_metric_is_missing(signal: str) -> None:
    coverage = Context("coverage", minimise=False)
    assert values(signal, run("coverage", coverage=[0.5, 0.1]), coverage) == []
    assert curve(signal, run(fid=[20.0, None, 30.0]), FID)[1][0] == 300


def test_the_gradients_share_is_of_the_largest_so_far() -> None:
    found = values("generator_gradient_share", run(generator_gradient_norm=[2.0, 4.0, 1.0, None, 0.0]))
    assert found == [1.0, 1.0, 0.25, 0.0]
    assert values("generator_gradient_share", run(generator_gradient_norm=[0.0, 0.0])) == [0.0, 0.0]


@pytest.mark.parametrize(
    ("signal", "source"),
    [
        ("diversity_gain", "diversity_ratio"),
        ("coverage_gain", "coverage"),
        ("sample_variance_gain", "sample_variance_ratio"),
        ("modes_gain", "modes_share"),
    ],
)
def test_a_gain_is_over_the_best_of_the_evaluations_before(signal: str, source: str) -> None:
    found = curve(signal, run(**{source: [0.25, 0.75, 0.5, 0.75, 1.0]}), FID)
    assert found == [(200, 0.5), (300, -0.25), (400, 0.0), (500, 0.25)]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_finite_is_0_where_any_value_is_not(bad: float) -> None:
    assert values("finite", run(fid=[20.0, 20.0], finite=[1.0, 1.0], loss_g=[0.5, bad])) == [1.0, 0.0]
    assert values("finite", run(fid=[20.0, bad], finite=[1.0, 1.0])) == [1.0, 0.0]
    assert values("finite", run(fid=[20.0, None], finite=[1.0, 0.0])) == [1.0, 0.0]


@pytest.mark.parametrize(
    ("signal", "source"),
    [
        ("excess", "fid"),
        ("excess_in_noise", "fid"),
        ("generator_gradient_share", "generator_gradient_norm"),
        ("coverage_gain", "coverage"),
    ],
)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_nan_is_never_hidden_by_a_best_or_a_largest(signal: str, source: str, at: int) -> None:
    series: list[float | None] = [20.0, 30.0, 25.0, 20.0]
    series[at] = math.nan
    found = dict(curve(signal, run(**{source: series}), FID))
    from_then_on = [value for images, value in found.items() if images > at * 100]
    assert from_then_on
    assert all(map(math.isnan, from_then_on))


def test_a_curve_does_not_look_ahead() -> None:
    draw = random.Random(1)
    measurements = run(
        fid=[draw.uniform(10, 100) for _ in range(12)],
        coverage=[draw.random() for _ in range(12)],
        generator_gradient_norm=[draw.random() for _ in range(12)],
    )
    for signal in SIGNALS:
        whole = curve(signal, measurements, FID)
        assert [point for point in whole if point[0] <= 700] == curve(signal, measurements[:7], FID)


def test_what_a_training_step_measures_can_be_named() -> None:
    assert {*DISCRIMINATOR_MEASURES, *GENERATOR_MEASURES} <= SIGNALS.keys()


def test_an_unknown_signal_is_refused() -> None:
    with pytest.raises(KeyError):
        value("excesss", run(fid=[20.0]), FID)
