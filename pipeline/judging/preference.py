"""From votes on pairs to a ranking with intervals: the model of Bradley and Terry, with a weak prior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, special

PRIOR = 2.0  # standard deviation of a strength, in log odds: odds of 1:250 between two are within its 95%
LEVEL = 0.95
DRAWS = 4000
Result = tuple[int, int, float]  # two players, and what the first one got: 1 won, 0 lost, 0.5 neither


@dataclass(frozen=True)
class Strength:
    """How often a player is preferred. share: of comparisons with each other player equally often, the expected share
    that it wins, with its 95% interval. first: the probability that it is the strongest."""

    player: int
    share: float
    interval: tuple[float, float]
    first: float
    won: int
    lost: int
    even: int


def strengths(results: Sequence[Result]) -> list[Strength]:
    """Of all players of the results, the strongest first.

    P(a is preferred to b) = 1 / (1 + exp(s_b - s_a)) (Bradley and Terry 1952, Biometrika 39), with a normal prior on
    each strength s, so that one who was never beaten has a finite one (Caron and Doucet 2012 for priors of this kind).
    Who is even gets half a win each: the variance that this supposes is larger than that of an even result, so
    intervals are rather wide. The posterior is taken as normal around its mode, with the curvature there, and the
    intervals are quantiles of draws from it; the same results give the same numbers. Ours and not choix: that has
    neither intervals nor even results.
    """
    players = sorted({player for first, second, _ in results for player in (first, second)})
    if not players:
        return []
    mode, covariance = _posterior(players, results)
    draws = np.random.default_rng(0).multivariate_normal(mode, covariance, DRAWS)
    shares, tail = _shares(draws), (1 - LEVEL) / 2
    low, high = np.quantile(shares, [tail, 1 - tail], axis=0)
    first = np.bincount(draws.argmax(1), minlength=len(players)) / DRAWS
    expected = _shares(mode[None])[0]
    rows = [
        Strength(
            player,
            float(expected[at]),
            (float(low[at]), float(high[at])),
            float(first[at]),
            **_counts(player, results),
        )
        for at, player in enumerate(players)
    ]
    return sorted(rows, key=lambda each: (-each.share, each.player))


def _posterior(players: list[int], results: Sequence[Result]) -> tuple[Any, Any]:
    """The most probable strengths, and their covariance."""
    place = {player: at for at, player in enumerate(players)}
    one, other = (
        np.array([place[first] for first, _, _ in results]),
        np.array([place[second] for _, second, _ in results]),
    )
    got = np.array([result[2] for result in results])
    design = np.zeros((len(results), len(players)))
    rows = np.arange(len(results))
    design[rows, one], design[rows, other] = 1.0, -1.0
    precision = np.eye(len(players)) / PRIOR**2

    def loss(s: Any) -> float:
        gap = design @ s
        return float(
            -(got * special.log_expit(gap) + (1 - got) * special.log_expit(-gap)).sum() + s @ precision @ s / 2
        )

    def slope(s: Any) -> Any:
        return design.T @ (special.expit(design @ s) - got) + precision @ s

    def curvature(s: Any) -> Any:
        chance = special.expit(design @ s)
        return (design.T * (chance * (1 - chance))) @ design + precision

    fitted = optimize.minimize(loss, np.zeros(len(players)), jac=slope, hess=curvature, method="trust-exact")
    return fitted.x, np.linalg.inv(curvature(fitted.x))


def _shares(strength: Any) -> Any:
    """(draws, players): the mean chance of each against the others."""
    chance = special.expit(strength[:, :, None] - strength[:, None, :])
    others = strength.shape[1] - 1
    return (chance.sum(2) - 0.5) / others


def _counts(player: int, results: Sequence[Result]) -> dict[str, int]:
    mine = [got if first == player else 1 - got for first, second, got in results if player in (first, second)]
    return {"won": mine.count(1.0), "lost": mine.count(0.0), "even": mine.count(0.5)}
