"""Intervals that hold for a handful of seeds: on a scale where scores are near normal, variances learnt together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special, stats

from pipeline.schema.metrics import known

Interval = tuple[float, float]

LEVEL = 0.95
PREDICTION = 0.90
ROUNDING = 1e-6  # of a share
STRICTER = 0.5  # of the nominal error, so that intervals hold under racing and for who came first: see Picking in
# tests/benchmarks/README.md, where the nominal error itself covers 0.93 of all means and 0.90 of the winners'
STRENGTH = 10.0  # degrees of freedom at most that the other groups' variances count for


@dataclass(frozen=True)
class Scale:
    """Where scores are compared, turned so that less is better. logarithm: for distances, whose noise is a factor.
    share: asin(sqrt(score)) for what is between 0 and 1, where the noise of a share is alike everywhere (Bartlett
    1936) and an interval ends at 0 and 1. plain: as they are."""

    kind: Literal["plain", "logarithm", "share"]
    minimise: bool

    @classmethod
    def of(cls, metric: str, scores: Iterable[float], own: Mapping[str, bool]) -> Scale:
        """Of a metric; plain where a distance of 0 has no logarithm."""
        about = known(metric, own)
        if about.share:
            return cls("share", about.minimise)
        return cls("logarithm" if about.floored and all(score > 0 for score in scores) else "plain", about.minimise)

    def to(self, score: float) -> float:
        value = score
        if self.kind == "logarithm":
            value = math.log(score)
        elif self.kind == "share":
            rounded = min(max(score, 0.0), 1.0)  # beyond its ends by no more than that; further off it is no share
            value = math.asin(math.sqrt(rounded if abs(score - rounded) < ROUNDING else score))
        return value if self.minimise else -value

    def back(self, value: float) -> float:
        value = value if self.minimise else -value
        if self.kind == "logarithm":
            return math.exp(min(value, 700.0))  # beyond it there is no number
        return math.sin(min(max(value, 0.0), math.pi / 2)) ** 2 if self.kind == "share" else value

    def interval(self, transformed: Interval | None) -> Interval | None:
        """An interval of the scale as one of scores, low end first."""
        if transformed is None:
            return None
        low, high = sorted(map(self.back, transformed))
        return low, high


@dataclass(frozen=True)
class Estimate:
    """The mean of `count` values, on the scale. variance: of one value; NaN where nothing is known of it (every
    group had a single value); freedom: its degrees of freedom. own: the variance of these values alone, NaN of one."""

    mean: float
    variance: float
    count: int
    freedom: float
    own: float = math.nan

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        return math.sqrt(self.variance / self.count)

    def interval(self, level: float = LEVEL) -> Interval | None:
        """Of the mean; None where the variance is not known."""
        return self._around(self.error, self.freedom, level)

    def prediction(self, level: float = PREDICTION) -> Interval | None:
        """Of one new value: the wider of what its own values say and what they say with the others', for a group
        may well be noisier than those that it borrows from."""
        new = math.sqrt(1 + 1 / self.count)
        pooled = self._around(math.sqrt(self.variance) * new, self.freedom, level)
        if pooled is None or self.count < 2:
            return pooled
        alone = self._around(math.sqrt(self.own) * new, self.count - 1, level)
        return max(pooled, alone or pooled, key=lambda ends: ends[1] - ends[0])

    def above(self, value: float, level: float = LEVEL) -> bool:
        """Whether the mean is above `value` by a one-sided t-test at `level`; never where the variance is unknown."""
        if math.isnan(self.variance):
            return False
        return self.mean - value > float(special.stdtrit(self.freedom, level)) * self.error

    def _around(self, error: float, freedom: float, level: float) -> Interval | None:
        if math.isnan(error):
            return None
        half = float(special.stdtrit(freedom, 1 - STRICTER * (1 - level) / 2)) * error
        return self.mean - half, self.mean + half


def estimates(groups: Sequence[Sequence[float]]) -> list[Estimate]:
    """The mean of each group (none is empty), with variances that are pooled as far as they are alike.

    Each group's variance s^2 with d degrees of freedom is moved to (d0 s0^2 + d s^2) / (d0 + d), where s0^2 and d0
    are fitted to all of them: the more alike they are, the greater is d0 (Smyth 2004, "Linear models and empirical
    Bayes methods", sections 3 and 6.2; here at most 10, as a few groups cannot show that they are all alike).
    """
    counts = np.array([len(group) for group in groups])
    means = [float(np.mean(group)) for group in groups]
    freedom = counts - 1
    pooled = int(freedom.sum())
    if pooled == 0:
        return [Estimate(mean, math.nan, int(count), math.nan) for mean, count in zip(means, counts, strict=True)]
    variances = np.array([np.var(group, ddof=1) if len(group) > 1 else 0.0 for group in groups])
    prior, strength = _prior(variances[freedom > 0], freedom[freedom > 0])
    moderated = (strength * prior + freedom * variances) / (strength + freedom)
    total = np.minimum(strength + freedom, pooled)
    return [
        Estimate(mean, float(variance), int(count), float(free), float(own) if count > 1 else math.nan)
        for mean, variance, count, free, own in zip(means, moderated, counts, total, variances, strict=True)
    ]


def _prior(variances: np.ndarray, freedom: np.ndarray) -> tuple[float, float]:
    """s0^2 and d0 for the variances of groups of two values or more."""
    common = float((freedom * variances).sum() / freedom.sum())
    if len(variances) < 3 or common == 0:
        return common, STRENGTH
    raised = np.maximum(variances, 1e-5 * common)  # a variance of 0, which has no logarithm, is chance
    logs = np.log(raised) - special.digamma(freedom / 2) + np.log(freedom / 2)
    excess = float(np.var(logs, ddof=1) - special.polygamma(1, freedom / 2).mean())
    if excess <= 0:
        return common, STRENGTH
    strength = min(2 * _trigamma_inverse(excess), STRENGTH)
    return float(np.exp(logs.mean() + special.digamma(strength / 2) - np.log(strength / 2))), strength


def _trigamma_inverse(value: float) -> float:
    """Newton's method on 1 / trigamma, which is nearly straight (Smyth 2004, appendix)."""
    root = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(special.polygamma(1, root))
        move = trigamma * (1 - trigamma / value) / float(special.polygamma(2, root))
        root += move
        if -move / root < 1e-8:
            break
    return root


def share_interval(healthy: int, seeds: int, level: float = LEVEL) -> Interval:
    """Jeffreys' interval for a share of which `healthy` of `seeds` were seen (Brown, Cai & DasGupta 2001)."""
    if not 0 <= healthy <= seeds or seeds == 0:
        raise ValueError(f"{healthy} of {seeds} is no share")
    belief = stats.beta(healthy + 0.5, seeds - healthy + 0.5)
    low = 0.0 if healthy == 0 else float(belief.ppf((1 - level) / 2))
    high = 1.0 if healthy == seeds else float(belief.ppf((1 + level) / 2))
    return low, high
