"""The race: who runs on what next, that the order of ends does not matter, and what it is worth in simulation."""

import random
from dataclasses import replace

import numpy as np
import pytest

from pipeline.picking.outcomes import SeedResult, differences, within_noise
from pipeline.picking.racing import plan
from pipeline.picking.ranking import ranking
from tests.benchmarks.picking_statistics import WORLDS, World, simulate

Results = dict[tuple[int, int], SeedResult]


def made(values: dict[int, list[SeedResult]]) -> Results:
    return {(finalist, at): value for finalist, each in values.items() for at, value in enumerate(each)}


def noise(base: float, seeds: int, deviation: float = 0.05) -> list[SeedResult]:
    """Values whose noise differs from seed to seed, and from base to base."""
    return [float(v) for v in base + np.random.default_rng(int(base * 100)).normal(0, deviation, seeds)]


def test_at_first_all_are_wanted_on_three_seeds_and_nothing_counts_before_they_have_ended() -> None:
    begun = plan([7, 2], {}, 5)
    assert begun.wanted == ((7, 0), (2, 0), (7, 1), (2, 1), (7, 2), (2, 2))
    half = plan([7, 2], {(7, 0): 1.0, (2, 2): None}, 5)
    assert half.wanted == ((2, 0), (7, 1), (2, 1), (7, 2))
    assert half.outcomes == {7: [], 2: []}
    assert plan([7, 2], {}, 2).wanted == ((7, 0), (2, 0), (7, 1), (2, 1))


def test_one_that_is_surely_worse_is_out_and_who_leads_runs_on_all_seeds() -> None:
    results = made({0: noise(1.0, 3), 1: noise(3.0, 3)})
    after = plan([0, 1], results, 6)
    assert after.racing == {0}
    assert after.wanted == ((0, 3), (0, 4), (0, 5))
    over = plan([0, 1], made({0: noise(1.0, 6), 1: noise(3.0, 3)}), 6)
    assert over.wanted == ()
    assert ranking(over.outcomes, over.racing) == [0, 1]


def test_the_one_to_compare_with_is_run_on_all_seeds_out_of_the_race_or_not() -> None:
    results = made({0: noise(3.0, 3), 1: noise(1.0, 3), 2: noise(4.0, 3)})
    after = plan([0, 1, 2], results, 5, against=0)
    assert after.racing == {1}
    assert after.wanted == ((0, 3), (0, 4), (1, 3), (1, 4))
    over = plan([0, 1, 2], made({0: noise(3.0, 5), 1: noise(1.0, 5), 2: noise(4.0, 3)}), 5, against=0)
    assert over.wanted == ()
    assert [len(over.outcomes[each]) for each in (0, 1, 2)] == [5, 5, 3]


def test_one_to_compare_with_of_which_no_seed_was_healthy_is_spared() -> None:
    results = made({0: [None, None, None], 1: noise(1.0, 3), 2: noise(4.0, 3)})
    assert plan([0, 1, 2], results, 5, against=0).wanted == ((1, 3), (1, 4))


def test_those_within_noise_go_on_a_seed_at_a_time() -> None:
    results = made({0: [1.0, 1.4, 1.2], 1: [1.1, 1.2, 1.3], 2: [9.0, 9.1, 9.2]})
    after = plan([0, 1, 2], results, 5)
    assert after.racing == {0, 1}
    assert after.wanted == ((0, 3), (1, 3))


def test_one_that_surely_fails_more_often_is_out_however_good_its_score() -> None:
    lucky: list[SeedResult] = [None, None, 0.1, None, None]
    after = plan([0, 1], made({0: noise(2.0, 5), 1: lucky}), 5)
    assert after.racing == {0}
    assert ranking(after.outcomes, after.racing)[0] == 0


def test_one_that_was_out_for_its_score_comes_back_when_the_leader_fails() -> None:
    leader: list[SeedResult] = [*noise(1.0, 4), None, *noise(1.0, 1)]
    results = made({0: leader, 1: noise(3.0, 3)})
    after = plan([0, 1], results, 6)
    assert 1 in after.racing
    assert after.wanted == ((1, 3),)
    over = plan([0, 1], made({0: leader, 1: noise(3.0, 6)}), 6)
    assert over.wanted == ()
    assert ranking(over.outcomes, over.racing) == [1, 0]


@pytest.mark.parametrize("order", range(5))
def test_the_order_in_which_runs_end_makes_no_difference(order: int) -> None:
    truth = {
        0: noise(1.0, 8, 0.3),
        1: noise(1.1, 8, 0.3),
        2: [*noise(0.9, 3, 0.3), None, *noise(0.9, 4, 0.3)],
        3: noise(3, 8),
    }
    everything = made(truth)
    shuffled = random.Random(order)
    results: Results = {}
    while wanted := plan(list(truth), results, 8, against=3).wanted:
        run = shuffled.choice(wanted)
        results[run] = everything[run]
    at_once = plan(list(truth), everything, 8, against=3)
    assert plan(list(truth), results, 8, against=3) == at_once
    assert set(results) == {(f, at) for f, each in at_once.outcomes.items() for at in range(len(each))}


def test_differences_are_paired_by_seed_over_those_on_which_both_were_healthy() -> None:
    outcomes: dict[int, list[SeedResult]] = {0: [1.0, 2.0, None, 4.0], 1: [1.5, 2.5, 9.0], 2: [None, None, 1.0]}
    found = differences(outcomes, 0)
    assert set(found) == {1}
    assert (found[1].mean, found[1].count) == (0.5, 2)
    assert within_noise(None)


def test_a_difference_is_the_same_seen_from_either_side() -> None:
    outcomes = {0: noise(1.0, 5), 1: noise(1.2, 4), 2: noise(3.0, 3, deviation=0.5)}
    one, other = differences(outcomes, 0)[1], differences(outcomes, 1)[0]
    assert one == replace(other, mean=-other.mean)


@pytest.mark.parametrize(
    ("world", "seeds"), [(WORLDS[0], 3), (WORLDS[1], 5), (WORLDS[2], 5)], ids=lambda v: str(v)[:24]
)
def test_intervals_cover_what_they_say_under_the_race(world: World, seeds: int) -> None:
    found = simulate(world, seeds, times=100, seed=11)
    assert 0.93 <= found.covered <= 0.99
    assert found.shares >= 0.93
    assert found.predicted >= 0.84


def test_the_race_spares_four_runs_in_ten_and_picks_as_the_full_grid_does() -> None:
    race, grid = (simulate(WORLDS[1], 10, times=60, seed=3, race=how) for how in (True, False))
    assert race.spent <= 0.6
    assert abs(race.wrong - grid.wrong) <= 0.03
