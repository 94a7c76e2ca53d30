"""What the finalists' runs came to, seed by seed, and what follows: mean scores, and differences paired by seed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline.picking.intervals import LEVEL, Estimate, estimates

# What a finalist's run with one seed came to, on the scale where less is better; None: it was not healthy.
SeedResult = float | None
# By finalist (a trial's number), in the order of the replicates, so that equal places are equal seeds.
SeedResults = Mapping[int, Sequence[SeedResult]]


def share(outcomes: Sequence[SeedResult]) -> float:
    """Of the seeds that stayed healthy; 0 without any."""
    return len(scores(outcomes)) / len(outcomes) if outcomes else 0.0


def scores(outcomes: Sequence[SeedResult]) -> list[float]:
    return [outcome for outcome in outcomes if outcome is not None]


def score_estimates(outcomes: SeedResults) -> dict[int, Estimate]:
    """Of each finalist that has a healthy seed."""
    there = {finalist: its_scores for finalist, each in outcomes.items() if (its_scores := scores(each))}
    return dict(zip(there, estimates(list(there.values())), strict=True))


def differences(outcomes: SeedResults, reference: int) -> dict[int, Estimate]:
    """Each finalist's score less that of `reference`, paired by seed: over the seeds on which both were healthy.
    Without those that share no such seed. The variances are pooled over all pairs of finalists, so that a difference
    is the same seen from either side."""
    pairs = {}
    for one, other in itertools.combinations(outcomes, 2):
        both = zip(outcomes[one], outcomes[other], strict=False)  # one may have been run on more seeds
        if apart := [mine - its for mine, its in both if mine is not None and its is not None]:
            pairs[one, other] = apart
    all_apart = dict(zip(pairs, estimates(list(pairs.values())), strict=True))
    against = {one: apart for (one, other), apart in all_apart.items() if other == reference}
    turned = {other: replace(apart, mean=-apart.mean) for (one, other), apart in all_apart.items() if one == reference}
    return {finalist: (against | turned)[finalist] for finalist in outcomes if finalist in against | turned}


def within_noise(difference: Estimate | None, level: float = LEVEL) -> bool:
    """Whether the paired difference can be none at all."""
    interval = difference.interval(level) if difference else None
    return interval is None or interval[0] <= 0 <= interval[1]
