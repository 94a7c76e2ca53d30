"""Where GANs train, whatever the data: what the first draws of a sweep come from, while nothing is known of its space.

The best quarter of some 200 configurations from wide ranges, on three data sets (digits, a ring of Gaussians,
Fashion-MNIST; 60 to 240 kimg; tests/benchmarks/experience.py), have rates within about half a decade of one another's,
on each of them much the same. A uniform draw from ranges of three decades has both of them there once in five times.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from pipeline.search.units import at
from pipeline.space.distributions import Range
from pipeline.space.tree import Parameter, Point, Space

ELSEWHERE = 0.1  # of a range that has less of a normal than this its author knows more than we do
FAR = 1e-12  # of a normal: it has no last value


@dataclass(frozen=True)
class Normal:
    """decades: the deviation is of the value's decimal logarithm, and the centre is a value all the same."""

    centre: float
    deviation: float
    decades: bool = True

    def drawn(self, values: Range, share: float) -> float | None:
        """The value below which that share is, of the part of the normal that the range has; None where it has next to
        nothing of it."""
        normal = NormalDist(self._place(self.centre), self.deviation)
        low, high = normal.cdf(self._place(values.low)), normal.cdf(self._place(values.high))
        if high - low < ELSEWHERE:
            return None
        place = normal.inv_cdf(min(max(low + share * (high - low), FAR), 1 - FAR))
        return min(max(10**place if self.decades else place, values.low), values.high)

    def _place(self, value: float) -> float:
        if not self.decades:
            return value
        return math.log10(value) if value > 0 else -math.inf


# Adam's and its likes'. Longer budgets and larger images are at home at the lower end, which a deviation reaches.
NORMALS = {
    "optimiser.lr_g": Normal(8e-4, 0.55),
    "optimiser.lr_d": Normal(9e-4, 0.65),
    "optimiser.lr_ratio": Normal(1.0, 0.75),
    "optimiser.beta1": Normal(0.35, 0.25, decades=False),
}


def knows(space: Space) -> bool:
    """Whether it says anything of that space."""
    return any(each.name in NORMALS for each in space.parameters())


def drawn(space: Space, random: np.random.Generator) -> Point:
    """A point whose rates are from their normals, within their ranges; what nothing is known of is uniform."""

    def choose(parameter: Parameter) -> Any:
        share, values, value = random.uniform(), parameter.distribution, None
        if parameter.name in NORMALS and isinstance(values, Range) and not values.whole:
            value = NORMALS[parameter.name].drawn(values, share)
        return at(values, share) if value is None else value

    return space.realise(choose)[0]
