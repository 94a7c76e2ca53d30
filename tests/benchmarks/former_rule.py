"""The rule that picks were decided by before expected regret, kept to be compared with: the share of healthy seeds
first, then the pessimistic end of the score's interval, with a race by paired differences."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from scipy import special

from pipeline.picking.intervals import Estimate
from pipeline.picking.outcomes import SeedResult, SeedResults, differences, score_estimates, scores, share
from pipeline.picking.racing import FIRST

SCORE = 0.96
HEALTH = 0.95


def ranking(outcomes: SeedResults, racing: Collection[int]) -> list[int]:
    found = score_estimates(outcomes)

    def key(finalist: int) -> tuple[bool, float, float, float, int]:
        return finalist not in racing, -share(outcomes[finalist]), *_pessimistic(found.get(finalist)), finalist

    return sorted(outcomes, key=key)


def _pessimistic(estimate: Estimate | None) -> tuple[float, float]:
    if estimate is None:
        return math.inf, math.inf
    interval = estimate.interval()
    return (interval[1] if interval else math.inf), estimate.mean


def race(whole: Mapping[int, Sequence[SeedResult]], seeds: int) -> tuple[SeedResults, frozenset[int]]:
    """The outcomes at the end of the race, and who is in it, where all its runs would come to `whole`."""
    racing, counts = frozenset(whole), dict.fromkeys(whole, min(FIRST, seeds))
    while True:
        outcomes = {finalist: whole[finalist][: counts[finalist]] for finalist in whole}
        racing = _still_racing(outcomes, racing)
        left = [finalist for finalist in racing if counts[finalist] < seeds]
        if not left:
            return outcomes, racing
        for finalist in left:
            counts[finalist] = seeds if len(racing) == 1 else counts[finalist] + 1


def _still_racing(outcomes: SeedResults, racing: frozenset[int]) -> frozenset[int]:
    leader = next(each for each in ranking(outcomes, frozenset(outcomes)) if each in racing)
    worse = {finalist for finalist, d in differences(outcomes, leader).items() if d.above(0.0, SCORE)}
    its = outcomes[leader]

    def can_win(finalist: int) -> bool:
        mine = outcomes[finalist]
        if _probability_less(len(scores(mine)), len(mine), len(scores(its)), len(its)) > HEALTH:
            return False
        return share(mine) > share(its) or finalist not in worse

    return frozenset(each for each in outcomes if each == leader or can_win(each))


@functools.cache
def _probability_less(healthy: int, seeds: int, other_healthy: int, other_seeds: int) -> float:
    """That a share is less than another one, by Jeffreys' posteriors of both."""
    quantiles = (np.arange(2000) + 0.5) / 2000
    other = special.betaincinv(other_healthy + 0.5, other_seeds - other_healthy + 0.5, quantiles)
    return float(special.betainc(healthy + 0.5, seeds - healthy + 0.5, other).mean())
