"""What one evaluation comes to."""

from __future__ import annotations

import math
from typing import NamedTuple

LESS_IS_WELL = {"memorised_share", "raw_distance"}  # signals that are low in health


class Evaluation(NamedTuple):
    """What is found of a run's samples, by name; see record/measurement.Measurement. A metric can be nan."""

    metrics: dict[str, float]
    signals: dict[str, float]
    errors: dict[str, float]


def worst_of(signal: str, values: list[float]) -> float:
    """Of several domains the one that is worst off. A NaN is the worst: min() alone may pass over it."""
    if any(map(math.isnan, values)):
        return math.nan
    return max(values) if signal in LESS_IS_WELL else min(values)
