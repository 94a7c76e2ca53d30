"""From votes to a ranking: what it recovers, and whether its intervals hold."""

import numpy as np
import pytest
from scipy import special

from pipeline.judging.preference import Result, strengths


def drawn(strength: list[float], rounds: int, seed: int) -> list[Result]:
    """Votes of an eye that has these strengths."""
    chance, count = np.random.default_rng(seed), len(strength)
    return [
        (one, other, float(chance.random() < special.expit(strength[one] - strength[other])))
        for _ in range(rounds)
        for one in range(count)
        for other in range(one)
    ]


def true_share(strength: list[float], player: int) -> float:
    others = [special.expit(strength[player] - each) for at, each in enumerate(strength) if at != player]
    return float(np.mean(others))


def test_many_votes_find_the_shares_they_were_drawn_from() -> None:
    strength = [0.0, 2.0, -1.0, 1.0]
    found = strengths(drawn(strength, 400, seed=0))
    assert [each.player for each in found] == [1, 3, 0, 2]
    for each in found:
        assert each.share == pytest.approx(true_share(strength, each.player), abs=0.03)
    assert found[0].first > 0.99


def test_intervals_of_few_votes_hold_the_truth() -> None:
    """Of 95% at least 90 in 100, of 800 intervals."""
    chance, held = np.random.default_rng(1), []
    for seed in range(200):
        strength = chance.normal(0, 1, 4).tolist()
        for each in strengths(drawn(strength, 5, seed)):
            held.append(each.interval[0] <= true_share(strength, each.player) <= each.interval[1])
    assert np.mean(held) > 0.9


def test_who_is_never_beaten_has_a_finite_interval_that_more_votes_narrow() -> None:
    few, many = (strengths([(7, 3, 1.0)] * count)[0] for count in (3, 30))
    assert (few.player, few.won, few.lost) == (7, 3, 0)
    assert few.interval[0] < 0.5 < few.share < few.interval[1] < 1
    assert many.interval[0] > few.interval[0]
    assert many.share > few.share


def test_even_votes_are_even_and_the_order_of_votes_is_nothing() -> None:
    first, second = strengths([(1, 2, 0.5)] * 4)
    assert first.share == pytest.approx(second.share) == pytest.approx(0.5)
    assert (first.even, second.even) == (4, 4)
    results = drawn([0.0, 1.0, 2.0], 4, seed=3)
    turned = [(other, one, 1 - got) for one, other, got in reversed(results)]
    for one, other in zip(strengths(results), strengths(turned), strict=True):
        assert (one.player, one.won, one.lost) == (other.player, other.won, other.lost)
        assert one.share == pytest.approx(other.share, abs=1e-6)


def test_without_a_vote_there_is_no_ranking() -> None:
    assert strengths([]) == []
