"""What a configuration becomes with one parameter moved: numbers by a factor, choices to their alternatives."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import InputError, show
from pipeline.record.state import SweepState
from pipeline.schema.base import parse
from pipeline.schema.trial import TrialSpec
from pipeline.space.distributions import Choice, is_integer
from pipeline.space.tree import Parameter, Point, Space, replaced

# What is kept of a running average at each step, by the last part of its key. The factor moves what is let go,
# 1 - beta: 0.9 to 0.99 is as far as 0.99 to 0.999, and 0, which many take for beta1, can be moved too.
DECAYS = ("beta1", "beta2", "beta1_d", "beta2_d", "decay")


@dataclass(frozen=True)
class Move:
    """parameter: full name. value: what it is moved to, which the spec allows; point and spec: the configuration
    that has it. why: in place of these three, why it cannot be moved."""

    parameter: Parameter
    was: Any
    value: Any = None
    point: Point | None = None
    spec: TrialSpec | None = None
    why: str | None = None


def moves(state: SweepState, space: Space, winner: int, factor: float, choices: bool) -> list[Move]:
    """Each searched parameter of the winner moved down and up; `choices`: each choice's alternatives too.

    Nothing is clipped: a move out of what the spec allows (the searched range may be left) is one with a `why`.
    """
    point, made = state.trials[winner].point, list[Move]()
    for parameter in space.parameters():
        if parameter.name not in point:
            continue
        was = point[parameter.name]
        if isinstance(parameter.distribution, Choice):
            if not choices:
                continue
            for option in parameter.distribution.options:
                if option != was:
                    made.append(_alternative(state, space, parameter, point, option))
            continue
        for value, why in moved(parameter.key, was, factor):
            if why is not None:
                made.append(Move(parameter, was, why=why))
                continue
            tree = replaced(space.fixed(point)[1], parameter.key, value)
            made.append(_checked(parameter, was, value, {**point, parameter.name: value}, tree))
    return made


def moved(key: str, value: float, factor: float) -> Iterator[tuple[Any, str | None]]:
    """Down and up, each as (value, None) or (None, why not). Numbers are divided and multiplied by the factor, of a
    decay (see DECAYS) its distance to 1; integers are rounded, halves up, and must come to another one."""
    name = key.removesuffix(".start").removesuffix(".end")  # of a schedule
    if name.rpartition(".")[2] in DECAYS:
        ends = (1 - (1 - value) * factor, 1 - (1 - value) / factor)
    elif value == 0:
        yield None, "it is 0, which no factor moves"
        return
    else:
        ends = (min(value / factor, value * factor), max(value / factor, value * factor))
    for end in ends:
        if not is_integer(value):
            yield float(f"{end:.12g}"), None
        elif (whole := math.floor(end + 0.5)) == value:
            yield None, f"{show(end)} rounds to {value} again"
        else:
            yield whole, None


def _alternative(state: SweepState, space: Space, parameter: Parameter, point: Point, option: Any) -> Move:
    """Another option, with what it carries as the best trial that had it has it."""
    donors = (trial.point for trial in state.ranking())
    donor: Mapping[str, Any] = next((each for each in donors if each.get(parameter.name) == option), {})

    def choose(each: Parameter) -> Any:
        return option if each.name == parameter.name else point[each.name] if each.name in point else donor[each.name]

    was = point[parameter.name]
    try:
        other, tree = space.realise(choose)
    except KeyError as error:
        return Move(
            parameter, was, option, why=f"{show(option)} needs {error.args[0]}, and no trial had a value for it"
        )
    return _checked(parameter, was, option, other, tree)


def _checked(parameter: Parameter, was: Any, value: Any, point: Point, tree: dict[str, Any]) -> Move:
    try:
        return Move(parameter, was, value, point, parse(TrialSpec, tree, "it"))
    except InputError as error:
        why = str(error).removeprefix("it: ").removeprefix(f"{parameter.key}: ")
        return Move(parameter, was, value, why=f"not allowed: {why}")
