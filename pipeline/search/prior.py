"""Proposals around what is known: an expert's configurations, and the best that was found.

After PriorBand (Mallik et al. 2023, arXiv:2306.12370): a proposal is drawn by the sampler from the whole space, around
an expert's point, or around an incumbent. How often each comes to its turn follows from what its proposals came to, so
that a prior which misleads is left after a few trials that it cost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.schema.sweep import LearnedSpec, PriorSpec
from pipeline.search.outcome import FAILED, Outcome
from pipeline.search.units import nearby
from pipeline.space.tree import Point, Space

KNOWN_GOOD, SAMPLER, PRIOR, LEARNED, INCUMBENT = "known_good", "sampler", "prior", "learned", "incumbent"
EXPERIENCE = "experience"  # what is drawn in the sampler's turn while it has no model
OWN = (SAMPLER, EXPERIENCE)  # what comes of the sampler's turns
TOP = 3  # the best third of what was told is a success
INCUMBENTS, ENOUGH = 3, 8  # of how many an incumbent is drawn; before so many healthy trials the best is luck
# The share of what is near to earlier sweeps' best, of what is not near to the expert's: where one is of the same data,
# and where all are of other data, whose optimum is elsewhere (tests/benchmarks/README.md, A search from what is known).
TRUST, OF_OTHERS = 0.4, 0.1
DOUBT = 2.0  # successes are counted as if so many trials had come before, a third of them successes
NARROWER = 0.5  # around an incumbent: it is of this space and data, which an expert's point need not be


@dataclass(frozen=True)
class Known:
    """What is known before the first trial: an expert's points, which are the first trials of a sweep, and what earlier
    sweeps came to, the best of each of which is tried after them where it is of the same data."""

    good: Sequence[Point] = ()
    learned: Sequence[LearnedSpec] = ()

    @property
    def nearest(self) -> list[Point]:
        """The best of earlier sweeps: those of the same data first, and of each its best first."""
        there = [(not each.same, at, point) for each in self.learned for at, point in enumerate(each.best)]
        return [point for _, _, point in sorted(there, key=lambda one: one[:2])]

    @property
    def trust(self) -> float:
        return TRUST if any(each.same for each in self.learned) else OF_OTHERS

    def first(self, space: Space) -> list[tuple[Point, str]]:
        """The first proposals of a sweep, each with its source. What an earlier sweep does not say is taken from the
        first of the expert's points, or else it is drawn."""
        random = np.random.default_rng(0)
        points = [(dict(point), KNOWN_GOOD) for point in self.good]
        default = self.good[0] if self.good else {}
        for each in self.learned:
            if not each.same:
                continue
            point = nearby(space, {**default, **each.best[0]}, 0.0, random)
            if point not in (known for known, _ in points):
                points.append((point, LEARNED))
        return points


NOTHING = Known()


class Mixture:
    """Who makes the next proposal, and proposals near a point. A function of what was asked and told."""

    def __init__(self, space: Space, spec: PriorSpec, known: Known, minimise: bool) -> None:
        self._space, self._spec, self._known, self._minimise = space, spec, known, minimise

    def shares(self, sources: Sequence[str], told: Mapping[int, Outcome]) -> dict[str, float]:
        """How likely each source is to make the next proposal; they add up to 1. `sources`: of each trial.

        Proportional to the share that the spec gives it, times the square of its successes per trial: a trial is a
        success where it is among the best third of those that were told, and healthy.
        """
        ranked = self._ranked(told)
        top = set(ranked[: math.ceil(len(_counted(told)) / TOP)])
        given = {SAMPLER: 1.0}
        for source, there, weight in (
            (LEARNED, self._known.learned, self._known.trust),
            (PRIOR, self._known.good, self._spec.weight),
        ):
            if there:
                given = {each: share * (1 - weight) for each, share in given.items()} | {source: weight}
        if len(ranked) >= ENOUGH:
            given = {source: share / 2 for source, share in given.items()} | {INCUMBENT: 0.5}
        for source in given:
            turns = OWN if source == SAMPLER else (source,)
            mine = [number for number in _counted(told) if sources[number] in turns]
            successes = sum(number in top for number in mine)
            given[source] *= ((successes + DOUBT / TOP) / (len(mine) + DOUBT)) ** 2
        total = sum(given.values())
        return {source: share / total for source, share in given.items()}

    def source(self, sources: Sequence[str], told: Mapping[int, Outcome], random: np.random.Generator) -> str:
        """Who makes the next proposal."""
        shares = self.shares(sources, told)
        return str(random.choice(list(shares), p=list(shares.values())))

    def near(
        self, source: str, points: Sequence[Point], told: Mapping[int, Outcome], random: np.random.Generator
    ) -> Point:
        """A point near one of the expert's, or near one of the best that were found; the first of either the likeliest,
        each one after it half as likely."""
        ranked = self._ranked(told)
        if source == INCUMBENT:
            centres: list[Point] = [points[number] for number in ranked[:INCUMBENTS]]
            width = self._spec.width * NARROWER
        elif source == LEARNED:  # the best of each first
            centres, width = self._known.nearest, self._spec.width
        else:  # the expert's own order, but for those that were told: the better first, and failures last
            place = {number: at for at, number in enumerate(ranked)}
            there = range(len(self._known.good))
            order = sorted(there, key=lambda at: place.get(at, math.inf if at in told else -1))
            centres, width = [self._known.good[at] for at in order], self._spec.width
        odds = 0.5 ** np.arange(len(centres))
        return nearby(self._space, centres[random.choice(len(centres), p=odds / odds.sum())], width, random)

    def _ranked(self, told: Mapping[int, Outcome]) -> list[int]:
        """The healthy trials, the best first; of equal ones the earlier, in whatever order they were told."""
        sign = 1 if self._minimise else -1
        healthy = {number: outcome.result for number, outcome in told.items() if outcome.result is not None}
        return sorted(healthy, key=lambda number: (sign * healthy[number], number))


def _counted(told: Mapping[int, Outcome]) -> list[int]:
    """Those whose end was the configuration's."""
    return [number for number, outcome in told.items() if outcome.reason not in FAILED]
