"""What a sweep says of its own space: ranges that the best trial stands at the end of, parameters that mattered, and
whether the data were too few for it."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Mapping
from typing import Any

from pipeline.errors import InputError
from pipeline.record.state import SweepState
from pipeline.schema.base import parse
from pipeline.schema.trial import TrialSpec
from pipeline.space.distributions import Choice, Distribution, Range
from pipeline.space.load import recorded_space
from pipeline.space.tree import Parameter, Space, dotted, replaced

EDGE = 0.05  # of a range, on its own scale
SHOWN = 4  # parameters
BY_HEART = 0.9  # of discriminator_overfit


def edges(space: Space, point: Mapping[str, Any]) -> list[str]:
    """'widen optimiser.lr_d upwards (0.0098 of 1e-05 to 0.01)' for each value of a point at the end of its range,
    where values beyond that end would be valid."""
    _, tree = space.fixed(point)
    advice = []
    for parameter in space.parameters():
        distribution = parameter.distribution
        if parameter.name not in point or isinstance(distribution, Choice):
            continue
        value = float(point[parameter.name])
        low, high = distribution.ends
        at = _position(distribution, value)
        for side, near, end in (("downwards", at, low), ("upwards", 1 - at, high)):
            if near <= EDGE and _valid(tree, parameter, _beyond(distribution, end, side == "upwards")):
                advice.append(f"widen {parameter.key} {side} ({value:.3g} of {distribution.describe()})")
    return advice


def _position(distribution: Distribution, value: float) -> float:
    """0 at the low end, 1 at the high end, on the range's own scale."""
    low, high = map(float, distribution.ends)
    if isinstance(distribution, Range) and distribution.log:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _beyond(distribution: Distribution, end: float, up: bool) -> float:
    low, high = map(float, distribution.ends)
    if isinstance(distribution, Range) and distribution.log:
        value = end * 2 if up else end / 2
    else:
        value = end + (0.1 if up else -0.1) * (high - low)
    whole = isinstance(end, int)
    return int(math.ceil(value) if up else math.floor(value)) if whole else value


def _valid(tree: dict[str, Any], parameter: Parameter, value: float) -> bool:
    try:
        parse(TrialSpec, replaced(tree, parameter.key, value), "")
    except InputError:
        return False
    return True


def insight(state: SweepState, trial: int | None) -> list[str]:
    """In lines: where the range of `trial` (the best one) should be wider, whether its discriminator has learned the
    data by heart, and which parameters mattered."""
    from pipeline.search.importance import EVALUATOR, importances  # optuna takes a second

    space = recorded_space(state.space, state.source)
    lines = []
    if trial is not None and (flags := edges(space, state.trials[trial].point)):
        lines.append(f"trial {trial} stands at the end of a range: " + ", ".join(flags))
    if trial is not None:
        lines += overfitted(state, trial)
    shares = importances(state, space)
    if shares:
        shown = [f"{_named(name)} {share:.0%}" for name, share in list(shares.items())[:SHOWN]]
        lines.append(f"what mattered: {', '.join(shown)} ({EVALUATOR})")
    return lines


def overfitted(state: SweepState, trial: int) -> list[str]:
    """A line where the trial's discriminator tells training samples from held-out ones."""
    known = [
        value
        for run in state.trials[trial].runs.values()
        if run.measurements and (value := run.measurements[-1].signals.get("discriminator_overfit")) is not None
    ]
    if not known or (share := statistics.median(known)) < BY_HEART:
        return []
    return [
        f"trial {trial}'s discriminator knows its training samples by heart (it prefers them to held-out ones in "
        f"{share:.0%} of pairs): more data, augmentation or a penalty may help"
    ]


def _named(name: str) -> str:
    """A parameter by its dotted key, with the branch that it is under in words: 'regularisers.r1.weight (under r1)'."""
    labels = re.findall(r"\[([^\]]*)\]", name)
    return dotted(name) + (f" (under {' and '.join(labels)})" if labels else "")
