"""What is known of each finalist: its true mean, how bad a bad day is, and its share of healthy seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.picking.outcomes import SeedResults, score_estimates, scores

Floats = np.ndarray[Any, Any]

BAD_DAY = 3  # the new runs of which a bad day is the worst
# How far a failed run is beyond the worst healthy score of any finalist, in ranges of all their healthy scores. FIDs
# of 15 to 40 make it 760: broken runs of the digits are at 200 to 2,400.
BEYOND = 3.0
FAILED = 1.0 + BEYOND  # a failed run, where the best healthy score is 0 and the worst 1
DIFFERENT = 0.3  # the part of the variance of the finalists' means that is not put down to chance, at least
UNPAIRED = 4.0  # degrees of freedom that it counts for that seeds have nothing in common
COMMON = 1.0  # degrees of freedom that the others' spreads count for


@dataclass(frozen=True)
class Belief:
    """Of a finalist, scores in ranges of all the healthy ones above the best. mean, error (0 where no variance is
    known), freedom: of its true mean score, Student's t. spread: how far the worst of a bad day is above the mean.
    counts: the healthy and all seeds that its share is known by, by Jeffreys' posterior."""

    mean: float
    error: float
    freedom: float
    spread: float
    counts: tuple[int, int]

    def expected(self) -> float:
        """Its loss in the mean: scores and share are independent, and all moments of a beta's are known."""
        a, b = self._beta
        moments = np.cumprod([(a + at) / (a + b + at) for at in range(BAD_DAY)])
        return float(self._loss(np.array([self.mean]), moments[:1], moments[-1:])[0])

    def drawn(self, random: np.random.Generator, healthy: Floats) -> Floats:
        """Its losses, by draws of its share of healthy seeds."""
        means = self.mean + self.error * random.standard_t(self.freedom, len(healthy))
        return self._loss(means, healthy, healthy**BAD_DAY)

    def shares(self, random: np.random.Generator, draws: int) -> Floats:
        return random.beta(*self._beta, draws)

    @property
    def _beta(self) -> tuple[float, float]:
        healthy, seeds = self.counts
        return healthy + 0.5, seeds - healthy + 0.5

    def _loss(self, mean: Floats, healthy: Floats, all_healthy: Floats) -> Floats:
        """Half that of a new run and half that of a bad day. healthy: the probability that a run is."""
        run = healthy * mean + (1 - healthy) * FAILED
        bad_day = all_healthy * (mean + self.spread) + (1 - all_healthy) * FAILED
        loss: Floats = (run + bad_day) / 2
        return loss


def beliefs(outcomes: SeedResults) -> tuple[dict[int, Belief], float]:
    """Of each finalist, and the range of all healthy scores (1 where they are all the same). Of those on which no seed
    failed the share is known as of one with the most seeds of these: having been run on fewer is no failure."""
    there = [score for each in outcomes.values() for score in scores(each)]
    low, unit = (min(there), (max(there) - min(there)) or 1.0) if there else (0.0, 1.0)
    scaled = {
        finalist: [None if score is None else (score - low) / unit for score in each]
        for finalist, each in sorted(outcomes.items())  # so that sums are the same in whatever order they are given
    }
    means, spreads = _means(scaled), _spreads(scaled)
    most = max((len(each) for each in outcomes.values() if len(scores(each)) == len(each)), default=0)
    known = {}
    for finalist, each in outcomes.items():
        healthy, seeds = len(scores(each)), len(each)
        counts = (most, most) if healthy == seeds and seeds else (healthy, seeds)
        # never seen healthy: nothing better is known of it than failure
        mean, error, freedom = means.get(finalist, (FAILED, 0.0, 3.0))
        known[finalist] = Belief(mean, error, freedom, spreads.get(finalist, 0.0), counts)
    return known, unit


def _means(scaled: SeedResults) -> dict[int, tuple[float, float, float]]:
    """Mean, error and degrees of freedom of each finalist that has a healthy seed. The error is that of choosing:
    without what a seed does to all finalists alike."""
    scored = score_estimates(scaled)
    alone = 1 - _shared(scaled)
    errors = {each: alone * estimate.error**2 for each, estimate in scored.items()}
    if not scored or not sum(errors.values()) > 0:  # NaN where each has one seed alone
        return {each: (estimate.mean, 0.0, 3.0) for each, estimate in scored.items()}
    there, noise = np.array([estimate.mean for estimate in scored.values()]), np.array(list(errors.values()))
    moved, kept, _ = shrunk(there, noise)
    left = np.sqrt(kept * noise)
    return {  # with fewer than 3 degrees of freedom single draws would settle the expected regret
        each: (float(mean), float(error), max(scored[each].freedom, 3.0))
        for each, mean, error in zip(scored, moved, left, strict=True)
    }


def shrunk(there: Floats, noise: Floats) -> tuple[Floats, Floats, float]:
    """Noisy means as they are in truth to be expected, what is kept of each one's own, and the true variance between
    them. noise: the variance of each.

    The best of several noisy means is too good, and the more the noisier it is: each is moved to the common mean as far
    as what lies between them is chance (Efron & Morris 1975, "Data analysis using Stein's estimator", unequal
    variances; what is between them in truth by the method of moments)."""
    between = float(np.var(there, ddof=1)) if len(there) > 1 else 0.0
    true = max(between - float(noise.mean()), DIFFERENT * between)
    if true == 0:
        kept, middle = np.ones(len(there)), float(there.mean())
    else:
        kept = true / (true + noise)
        middle = float((kept @ there) / kept.sum())
    return middle + kept * (there - middle), kept, true


def _spreads(scaled: SeedResults) -> dict[int, float]:
    """How far the worst of three new healthy seeds is above the mean, of each finalist that has a healthy seed: its
    own seeds say it without bias (3/2 of the second and 1/2 of the third L-moment, Hosking 1990, equation 2.1), moved a
    little to what they all say."""
    own = {finalist: _beyond_mean(its_scores) for finalist, each in scaled.items() if (its_scores := scores(each))}
    freedom = {finalist: len(scores(scaled[finalist])) - 1 for finalist in own}
    all_freedom = sum(freedom.values())
    common = sum(freedom[each] * own[each] for each in own) / all_freedom if all_freedom else 0.0
    return {each: (COMMON * common + freedom[each] * own[each]) / (COMMON + freedom[each]) for each in own}


def _beyond_mean(values: Sequence[float]) -> float:
    """The mean of the worst of three, over all threes of the values, less their mean; of two values as of a symmetric
    distribution, 0 of one."""
    count = len(values)
    if count < 3:
        return 0.75 * (max(values) - min(values))
    weights = np.array([at * (at - 1) / 2 for at in range(count)])  # in how many threes the value is the worst
    return float(np.sort(values) @ (weights / weights.sum()) - np.mean(values))


def _shared(scaled: SeedResults) -> float:
    """The part of the scores' variance that goes with the seed, which all finalists share and no choice changes: the
    mean covariance of two finalists over their mean variance, both on the seeds that they share. Moved
    towards 0, at which few seeds are no evidence against it; at most 0.95."""
    most = max(map(len, scaled.values()), default=0)
    there = np.array([[at < len(each) and each[at] is not None for at in range(most)] for each in scaled.values()])
    there = there.astype(float)
    values = np.array([[*(score or 0.0 for score in each), *[0.0] * (most - len(each))] for each in scaled.values()])
    count = np.triu(there @ there.T, 1)  # a pair of finalists once
    pairs = count > 1
    if not pairs.any():
        return 0.0
    sums, squares = values @ there.T, values**2 @ there.T  # of one finalist, over the seeds shared with another one
    held = np.where(pairs, count, 1.0)
    covariance = (values @ values.T - sums * sums.T / held)[pairs].sum()
    variance = (squares + squares.T - (sums**2 + sums.T**2) / held)[pairs].sum() / 2
    freedom = (count - 1)[pairs].sum()
    if variance <= 0:
        return 0.0
    return float(np.clip(covariance / variance * freedom / (freedom + UNPAIRED), 0.0, 0.95))
