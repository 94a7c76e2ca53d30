"""Who is best: the share of healthy seeds first, then the pessimistic end of the score's interval."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.picking.intervals import LEVEL, Estimate, estimates

# What a finalist's run with one seed came to, on the scale where less is better; None: it was not healthy.
SeedResult = float | None
# By finalist (a trial's number), in the order of the replicates, so that equal places are equal seeds.
SeedResults = Mapping[int, Sequence[SeedResult]]

DRAWS = 20_000


def share(outcomes: Sequence[SeedResult]) -> float:
    """Of the seeds that stayed healthy; 0 without any."""
    return len(scores(outcomes)) / len(outcomes) if outcomes else 0.0


def scores(outcomes: Sequence[SeedResult]) -> list[float]:
    return [outcome for outcome in outcomes if outcome is not None]


def score_estimates(outcomes: SeedResults) -> dict[int, Estimate]:
    """Of each finalist that has a healthy seed."""
    there = {finalist: found for finalist, each in outcomes.items() if (found := scores(each))}
    return dict(zip(there, estimates(list(there.values())), strict=True))


def ranking(outcomes: SeedResults, racing: Collection[int] | None = None) -> list[int]:
    """The finalists, best first. Those out of the race (not in `racing`; None: all are in it) come after those in
    it: they were run on fewer seeds, and a share of 3 out of 3 is not more than one of 9 out of 10."""
    found = score_estimates(outcomes)

    def key(finalist: int) -> tuple[bool, float, float, float, int]:
        out = racing is not None and finalist not in racing
        return out, -share(outcomes[finalist]), *_pessimistic(found.get(finalist)), finalist

    return sorted(outcomes, key=key)


def _pessimistic(estimate: Estimate | None) -> tuple[float, float]:
    """To sort by: the worse end of the interval, then the mean where there is no interval."""
    if estimate is None:
        return np.inf, np.inf
    interval = estimate.interval()
    return (interval[1] if interval else np.inf), estimate.mean


def differences(outcomes: SeedResults, reference: int) -> dict[int, Estimate]:
    """Each finalist's score less that of `reference`, paired by seed: over the seeds on which both were healthy.
    Without those that share no such seed. The variances are pooled over all pairs of finalists, so that a difference
    is the same seen from either side."""
    pairs = {}
    for one, other in itertools.combinations(outcomes, 2):
        both = zip(outcomes[one], outcomes[other], strict=False)  # one may have been run on more seeds
        if found := [mine - its for mine, its in both if mine is not None and its is not None]:
            pairs[one, other] = found
    found_all = dict(zip(pairs, estimates(list(pairs.values())), strict=True))
    against = {one: found for (one, other), found in found_all.items() if other == reference}
    turned = {other: replace(found, mean=-found.mean) for (one, other), found in found_all.items() if one == reference}
    return {finalist: (against | turned)[finalist] for finalist in outcomes if finalist in against | turned}


def within_noise(difference: Estimate | None, level: float = LEVEL) -> bool:
    """Whether the paired difference can be none at all."""
    interval = difference.interval(level) if difference else None
    return interval is None or interval[0] <= 0 <= interval[1]


def probability_best(outcomes: SeedResults, seed: int) -> dict[int, float]:
    """How probable it is that each finalist is the best, in the order of the ranking: first by its true share of
    healthy seeds, then by its true mean score.

    Shares are drawn from Jeffreys' posterior, one draw for all finalists of equal counts, and for all of which no seed
    failed (as of one with the most seeds of those): what is equally known does not differ by chance. Mean scores are
    drawn from Student's t around their estimates.
    """
    random = np.random.default_rng(seed)
    found = score_estimates(outcomes)
    finalists = list(outcomes)
    shares, means = np.zeros((len(finalists), DRAWS)), np.full((len(finalists), DRAWS), np.inf)
    most = max((len(each) for each in outcomes.values() if len(scores(each)) == len(each)), default=0)
    drawn: dict[tuple[int, int], np.ndarray[Any, Any]] = {}
    for at, finalist in enumerate(finalists):
        healthy, seeds = len(scores(outcomes[finalist])), len(outcomes[finalist])
        counts = (most, most) if healthy == seeds else (healthy, seeds)
        if seeds and counts not in drawn:
            drawn[counts] = random.beta(counts[0] + 0.5, counts[1] - counts[0] + 0.5, DRAWS)
        if seeds:
            shares[at] = drawn[counts]
        if (estimate := found.get(finalist)) is not None and not np.isnan(estimate.variance):
            means[at] = estimate.mean + estimate.error * random.standard_t(estimate.freedom, DRAWS)
        elif estimate is not None:
            means[at] = estimate.mean
    best = np.where(shares == shares.max(axis=0), means, np.inf).argmin(axis=0)
    return {finalist: float((best == at).mean()) for at, finalist in enumerate(finalists)}
