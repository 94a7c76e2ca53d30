"""Whom to take: who is regretted least, by all that a table shows, and never one that another beats in all of it."""

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest

from pipeline.picking.outcomes import SeedResult
from pipeline.picking.ranking import dominated, ranking
from pipeline.picking.regret import expected_losses, regrets

Outcomes = dict[int, list[SeedResult]]


def logs(*values: float | None) -> list[SeedResult]:
    return [None if value is None else math.log(value) for value in values]


def drawn(seed: int) -> Outcomes:
    """2 to 9 finalists on 1 to 10 seeds, all different in noise and health; some on fewer seeds, some values equal."""
    of = np.random.default_rng(seed)
    seeds, found = int(of.integers(1, 11)), Outcomes()
    for finalist in range(int(of.integers(2, 10))):
        count = seeds if of.random() < 0.7 else int(of.integers(1, seeds + 1))
        values = of.normal(0, 0.3) + of.choice([0.05, 0.2, 0.6]) * of.normal(size=count)
        sick = of.random(count) < of.choice([0, 0, 0.2, 0.6])
        found[finalist] = [None if s else float(np.round(v, 1)) for v, s in zip(values, sick, strict=True)]
    return found


def beaten(one: Sequence[SeedResult], other: Sequence[SeedResult]) -> bool:
    """Whether the other one is better in median and worst of the healthy seeds and in their share at once."""
    mine, its = ([v for v in each if v is not None] for each in (one, other))
    if len(other) < len(one) or not mine or not its:
        return False
    share = len(its) / len(other) - len(mine) / len(one)
    return bool(np.median(its) < np.median(mine) and max(its) < max(mine) and share >= 0)


def test_seeds_that_are_better_are_no_reason_against_a_finalist() -> None:
    outcomes = {18: logs(27.9, 31.0, 19.0, 23.9, 23.7), 11: logs(30.7, 29.8, 11.6, 19.5, 12.1)}
    assert ranking(outcomes) == [11, 18]
    found = regrets(outcomes, 1)
    assert found[11].expected < found[18].expected
    assert found[11].best > found[18].best
    outcomes[0] = logs(33.0, 35.2, 28.1, 30.4, 34.4)
    assert ranking(outcomes) == [11, 18, 0]


@pytest.mark.parametrize("seed", range(150))
def test_who_is_first_is_beaten_by_nobody_in_median_worst_seed_and_share(seed: int) -> None:
    outcomes = drawn(seed)
    for racing in (None, {finalist for finalist in outcomes if finalist % 2}, {0}):
        order = ranking(outcomes, racing)
        assert sorted(order) == sorted(outcomes)
        first = outcomes[order[0]]
        assert not any(beaten(first, other) or dominated(first, other) for other in outcomes.values())


def test_a_finalist_that_another_beats_in_all_is_not_taken_for_a_better_mean() -> None:
    outcomes: Outcomes = {1: [0.0, 0.0, 10.0, 10.0, 10.1], 2: [9.9, 9.9, 9.9, 10.0, 10.0]}
    outcomes |= {at: [10.0 * at + noise for noise in (0.0, 1.0, 2.0, 3.0, 4.0)] for at in (3, 4, 5)}
    assert expected_losses(outcomes)[1] < expected_losses(outcomes)[2]
    assert ranking(outcomes) == [2, 1, 3, 4, 5]
    assert ranking(outcomes, racing={1, 3, 4, 5})[0] == 2
    assert ranking(outcomes | {2: outcomes[2][:3]})[0] == 1  # on fewer seeds it shows less


def test_a_failed_seed_counts_as_worse_than_any_score_and_twice_on_a_bad_day() -> None:
    outcomes = {
        1: logs(20.0, 20.5, None, 19.5, 20.0),
        2: logs(24.0, 25.0, 26.0, 24.5, 25.5),
        3: logs(40.0, 39.0, 41.0, 40.5, 39.5),
        4: logs(None, None, None, None, None),
    }
    assert ranking(outcomes) == [2, 3, 1, 4]
    assert ranking(outcomes, racing={1, 4}) == [1, 4, 2, 3]
    scarcely = {1: outcomes[1] * 4 + outcomes[2][:1] * 20, 3: outcomes[3] * 8}
    assert ranking(scarcely)[0] == 1  # 4 of 40 failed, and it is twice as good


def test_of_those_that_are_as_good_the_steady_one_is_regretted_less() -> None:
    outcomes: Outcomes = {1: [1.0, 1.6, 0.4, 1.3, 0.7], 2: [1.0, 1.1, 0.9, 1.05, 0.95], 3: [2.0, 2.1, 1.9, 2.0, 2.2]}
    assert ranking(outcomes)[0] == 2


def test_probabilities_add_up_and_the_order_is_that_of_the_regrets() -> None:
    for seed in range(20):
        outcomes = drawn(seed)
        found = regrets(outcomes, seed)
        losses = expected_losses(outcomes)
        assert sum(each.best for each in found.values()) == pytest.approx(1)
        assert sorted(found, key=lambda at: (found[at].expected, at)) == sorted(found, key=lambda at: (losses[at], at))
        assert all(each.expected >= 0 for each in found.values())


def test_the_order_in_which_finalists_are_given_makes_no_difference() -> None:
    for seed in range(20):
        outcomes = drawn(seed)
        turned = list(outcomes.items())
        random.Random(seed).shuffle(turned)
        assert ranking(dict(turned)) == ranking(outcomes)
        assert regrets(dict(turned), 3) == regrets(outcomes, 3)


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_neither_unit_nor_zero_of_the_scale_matters(unit: float) -> None:
    outcomes = drawn(7)
    other: Outcomes = {at: [None if v is None else unit * v for v in each] for at, each in outcomes.items()}
    assert ranking(other) == ranking(outcomes)
    for at, each in regrets(outcomes, 1).items():
        assert regrets(other, 1)[at].expected == pytest.approx(unit * each.expected, rel=1e-6)
    moved: Outcomes = {at: [None if v is None else v + 1000.0 for v in each] for at, each in outcomes.items()}
    assert ranking(moved) == ranking(outcomes)


@pytest.mark.parametrize(
    ("outcomes", "order"),
    [
        ({3: [1.0], 1: [2.0], 2: [None]}, [3, 1, 2]),
        ({3: [1.0, 1.0, 1.0], 1: [1.0, 1.0, 1.0], 2: [1.0, None, 1.0]}, [1, 3, 2]),
        ({1: [None, None, 5.0], 2: [None, None, None], 3: [None, None, None]}, [1, 2, 3]),
        ({1: [None], 2: [None]}, [1, 2]),
        ({1: [1e300, 1.1e300, 0.0], 2: [1e299, 1.1e299, 0.0]}, [2, 1]),
        ({1: [2e-300, 3e-300, 1e-300], 2: [1e-300, 2e-300, 0.5e-300]}, [2, 1]),
        ({1: [1.0, 2.0], 2: [1.5]}, [1, 2]),
        ({5: [1.0, 2.0, 3.0]}, [5]),
    ],
    ids=["one seed", "all the same", "one healthy", "none healthy", "huge", "tiny", "unequal counts", "alone"],
)
def test_what_can_hardly_be_compared_is_no_error(outcomes: Outcomes, order: list[int]) -> None:
    assert ranking(outcomes) == order
    found = regrets(outcomes, 1)
    assert all(math.isfinite(each.expected) and each.expected >= 0 for each in found.values())
    assert sum(each.best for each in found.values()) == pytest.approx(1)


def test_what_is_the_same_is_as_likely_the_best() -> None:
    found = regrets({3: [1.0, 1.0, 1.0], 1: [1.0, 1.0, 1.0], 2: [1.0, None, 1.0]}, 1)
    assert found[1].best == found[3].best > found[2].best


def test_seeds_in_common_tell_who_is_better() -> None:
    of = np.random.default_rng(4)
    common = of.normal(0, 1, 8)
    paired = {at: [float(v) for v in 0.25 * at + common + of.normal(0, 0.1, 8)] for at in range(4)}
    apart = {at: [float(v) for v in of.permutation(each)] for at, each in paired.items()}
    assert regrets(paired, 1)[0].best > 0.8
    assert regrets(apart, 1)[0].best < 0.6
