"""Health rules: the defaults as data, and what a run's measurements mean under a set of rules."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.health.signals import Context, value
from pipeline.record.measurement import Measurement

if TYPE_CHECKING:
    from pipeline.schema.health import Condition, HealthReason, RuleSpec

__all__ = ["Context", "End", "end_of", "replay", "warnings_of"]


_HOLDS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class End:
    """Why a run is to end. evidence: {rule, signal, comparison, threshold, values: [{images, value}]}, the values
    being those of the evaluations that decided, and `also`, the further conditions' evidence, where there are any."""

    reason: HealthReason
    evidence: dict[str, Any]


def end_of(
    rules: Mapping[str, RuleSpec], measurements: Sequence[Measurement], budget_images: int, context: Context
) -> End | None:
    """Whether a run is to end at the last of its measurements, and why; the first rule that fires says so. Rules that
    are for the end are asked where the budget is spent; those that warn have no say (see warnings_of()) but for a NaN.

    A rule is silent where the evaluations it looks at lack its signal. NaN in a signal that any rule reads ends the
    run as non_finite, within that rule's grace too; no other reason comes before non_finite.
    """
    return next(_ends(rules, measurements, budget_images, context), None) if measurements else None


def warnings_of(
    rules: Mapping[str, RuleSpec], measurements: Sequence[Measurement], budget_images: int, context: Context
) -> dict[str, End]:
    """What the rules that warn say of the last measurement, by their names; nothing of one that held at the measurement
    before, where it was said."""
    warning = {name: rule for name, rule in rules.items() if rule.action == "warn"}
    warned = {}
    for name, rule in warning.items():
        now, before = (_fires(rule, upto, budget_images, context) for upto in (measurements, measurements[:-1]))
        if now is not None and before is None:
            warned[name] = End(rule.reason, {"rule": name, **now})
    return warned


def replay(
    rules: Mapping[str, RuleSpec], measurements: Sequence[Measurement], budget_images: int, context: Context
) -> tuple[int, End] | None:
    """The index of the first measurement at which the rules would have ended the run, and why."""
    for index in range(len(measurements)):
        if (end := end_of(rules, measurements[: index + 1], budget_images, context)) is not None:
            return index, end
    return None


def _ends(
    rules: Mapping[str, RuleSpec], measurements: Sequence[Measurement], budget_images: int, context: Context
) -> Iterator[End]:
    def fired(chosen: Mapping[str, RuleSpec]) -> Iterator[End]:
        for name, rule in chosen.items():
            if rule.action == "warn":
                continue
            if (evidence := _fires(rule, measurements, budget_images, context)) is not None:
                yield End(rule.reason, {"rule": name, **evidence})

    yield from fired({name: rule for name, rule in rules.items() if rule.reason == "non_finite"})
    for name, rule in rules.items():
        for condition in rule.conditions:
            now = value(condition.signal, measurements, context)
            if now is not None and math.isnan(now):
                yield End("non_finite", {"rule": name, **_evidence(condition, [(measurements[-1].images, now)])})
    yield from fired({name: rule for name, rule in rules.items() if rule.reason != "non_finite"})


def _fires(
    rule: RuleSpec, measurements: Sequence[Measurement], budget_images: int, context: Context
) -> dict[str, Any] | None:
    """The evidence, if all conditions held at the last evaluation and at `patience` of the last `within` ones, all of
    these after the grace."""
    if not measurements or (rule.at_end and measurements[-1].images < budget_images):
        return None
    held: list[tuple[int, list[float]]] = []  # images, and the signal of each condition; the latest first
    for index in range(len(measurements), max(len(measurements) - (rule.within or rule.patience), 0), -1):
        if measurements[index - 1].images < rule.grace * budget_images:
            break
        readings = [value(condition.signal, measurements[:index], context) for condition in rule.conditions]
        now = [each for each in readings if each is not None]
        if len(now) == len(readings) and all(
            _HOLDS[c.comparison](each, c.threshold) for c, each in zip(rule.conditions, now, strict=True)
        ):
            held.append((measurements[index - 1].images, now))
        elif index == len(measurements):
            return None
        if len(held) == rule.patience:
            break
    if len(held) < rule.patience:
        return None
    evidence = [
        _evidence(condition, [(images, values[place]) for images, values in reversed(held)])
        for place, condition in enumerate(rule.conditions)
    ]
    return evidence[0] | ({"also": evidence[1:]} if len(evidence) > 1 else {})


def _evidence(condition: Condition, values: Sequence[tuple[int, float]]) -> dict[str, Any]:
    return {
        "signal": condition.signal,
        "comparison": condition.comparison,
        "threshold": condition.threshold,
        "values": [{"images": images, "value": reading} for images, reading in values],
    }
