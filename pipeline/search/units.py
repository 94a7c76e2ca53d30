"""Where a value is in its distribution, as a share of it, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.space.distributions import Choice, Distribution, Range, Steps
from pipeline.space.tree import Parameter, Point, Space


def unit(distribution: Distribution, value: Any) -> float:
    """Where a number is in its range, in [0, 1]; in a range of logarithms by its logarithm."""
    match distribution:
        case Range(low, high, log=True):
            return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
        case Range(low, high) | Steps(low, high):
            return float((value - low) / (high - low))
    raise TypeError(f"no place in {distribution}")


def at(distribution: Distribution, place: float) -> Any:
    """The value at a place in [0, 1] of a distribution; of a choice the option whose share it is in."""
    match distribution:
        case Choice(options):
            return options[min(int(place * len(options)), len(options) - 1)]
        case Range(low, high, log, whole):
            value = math.exp(math.log(low) + place * (math.log(high) - math.log(low))) if log else None
            value = low + place * (high - low) if value is None else value
            value = min(max(value, low), high)  # the exponential of a logarithm may be a last digit outside
            return round(value) if whole else value
        case Steps(low, high, step):
            return distribution.take(low + round(place * (high - low) / step) * step)
    raise TypeError(f"no value in {distribution}")


def same(one: Any, other: Any) -> bool:
    """Whether two options are one: 1, 1.0 and true are three."""
    return type(one) is type(other) and bool(one == other)


def nearby(space: Space, centre: Mapping[str, Any], width: float, random: np.random.Generator) -> Point:
    """A point of the space around `centre`. A number is normal around the centre's, with a standard deviation of
    `width` of its range (of the range of its logarithm where that is what is uniform), within the range; of a choice
    another option is drawn with probability `width`. What the centre does not have is uniform."""

    def choose(parameter: Parameter) -> Any:
        values = parameter.distribution
        if parameter.name not in centre:
            return at(values, random.uniform())
        here = centre[parameter.name]
        if isinstance(values, Choice):
            others = [option for option in values.options if not same(option, here)]
            changed = others and random.uniform() < width
            return others[random.integers(len(others))] if changed else here
        place = unit(values, here)
        while not 0 <= (moved := random.normal(place, width)) <= 1:
            pass  # of a width of at most 1 one draw in three is inside, at the least
        return here if moved == place else at(values, moved)

    return space.realise(choose)[0]
