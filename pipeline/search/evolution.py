"""CMA-ES on the numbers that every trial has, as a function of what was told: nothing of it is kept between proposals,
so that a resume proposes the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.search.outcome import FAILED, Outcome
from pipeline.search.units import at, unit
from pipeline.space.distributions import Choice
from pipeline.space.tree import Point, Space

SIGMA = 0.25  # of a range: the first standard deviation
FEWEST = 2  # numbers: along one alone there is no covariance to adapt


class Evolution:
    """Hansen 2016 (arXiv:1604.00772), by the library cmaes, in the unit cube of each number's range."""

    def __init__(self, space: Space, minimise: bool, centre: Point | None = None) -> None:
        """centre: where the first generation is drawn around; None: the middle of every range."""
        self._minimise = minimise
        self._numbers = {
            each.name: each.distribution
            for each in space.parameters()
            if not each.branch and not isinstance(each.distribution, Choice)
        }
        self._centre = self._place(centre) if centre else np.full(len(self._numbers), 0.5)

    @property
    def possible(self) -> bool:
        return len(self._numbers) >= FEWEST

    def proposal(self, points: Sequence[Point], told: Mapping[int, Outcome], seed: int) -> Point:
        """The values of those numbers, by name. told: of the trials that were drawn by it, or at random.

        Each full generation of what was told, by the trials' numbers, moves the distribution; what did not stay healthy
        is worse than anything, and a crash of the machine says nothing.
        """
        from cmaes import CMA  # takes most of a second, by way of scipy.stats, which no other verb or sampler needs

        bounds = np.tile([0.0, 1.0], (len(self._numbers), 1))
        evolution = CMA(self._centre, SIGMA, bounds, seed=seed)
        counted = [number for number in sorted(told) if told[number].reason not in FAILED]
        size = evolution.population_size
        for first in range(0, len(counted) - size + 1, size):
            generation = counted[first : first + size]
            evolution.tell([(self._place(points[number]), self._loss(told[number])) for number in generation])
        places = np.clip(evolution.ask(), 0, 1)
        return {name: at(values, place) for (name, values), place in zip(self._numbers.items(), places, strict=True)}

    def _place(self, point: Point) -> np.ndarray:
        return np.array([unit(values, point[name]) for name, values in self._numbers.items()])

    def _loss(self, told: Outcome) -> float:
        if told.result is None:
            return math.inf
        return told.result if self._minimise else -told.result
