"""How likely a configuration is to fail, by those that did and did not: from the first failure on, before a model of
the scores has anything to go by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.search.units import same, unit
from pipeline.space.distributions import Choice
from pipeline.space.tree import Point, Space

BANDWIDTH = 0.15  # of a range: a standard deviation
HALF = 0.5  # added to both counts, so that one failure is no certainty


class Feasibility:
    """A naive Bayes classifier of failure: each parameter has a density among those that failed and one among the
    others, a kernel on each point and a uniform one beside them (as the densities of Bergstra et al. 2011 are).
    """

    def __init__(self, space: Space, healthy: Sequence[Mapping[str, Any]], failed: Sequence[Mapping[str, Any]]) -> None:
        """The points may lack parameters, as those of another space do."""
        self._parameters = {parameter.name: parameter.distribution for parameter in space.parameters()}
        self._healthy, self._failed = healthy, failed

    def failure(self, point: Point) -> float:
        """The probability, in [0, 1): 0 as long as none has failed."""
        if not self._failed:
            return 0.0
        odds = math.log((len(self._failed) + HALF) / (len(self._healthy) + HALF))
        for name, value in point.items():
            odds += math.log(self._density(name, value, self._failed) / self._density(name, value, self._healthy))
        return 1 / (1 + math.exp(-max(-500.0, min(500.0, odds))))

    def _density(self, name: str, value: Any, points: Sequence[Mapping[str, Any]]) -> float:
        """Beside the uniform one's, which is 1."""
        values = self._parameters[name]
        there = [point[name] for point in points if name in point]
        if isinstance(values, Choice):
            near = float(len(values.options) * sum(same(value, other) for other in there))
        else:
            place = unit(values, value)
            near = sum(_kernel(place - unit(values, other)) for other in there)
        return (1 + near) / (1 + len(there))


def _kernel(distance: float) -> float:
    return math.exp(-0.5 * (distance / BANDWIDTH) ** 2) / (BANDWIDTH * math.sqrt(2 * math.pi))
