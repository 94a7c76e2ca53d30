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

__all__ = ["Context", "End", "end_of", "replay"]


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
    """Whether a run is to end at the last of its measurements, and why; the first rule that fires says so.

    A rule is silent where the evaluations it looks at lack its signal. NaN in a signal that any rule reads ends the
    run as non_finite, within that rule's grace too; no other reason comes before non_finite.
    """
    return next(_ends(rules, measurements, budget_images, context), None) if measurements else None


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
    """The evidence, if all conditions held at each of the last `patience` evaluations, all of them after the grace."""
    first = len(measurements) - rule.patience
    if first < 0 or measurements[first].images < rule.grace * budget_images:
        return None
    evidence = []
    for condition in rule.conditions:
        holds, values = _HOLDS[condition.comparison], []
        for index in range(first, len(measurements)):
            found = value(condition.signal, measurements[: index + 1], context)
            if found is None or not holds(found, condition.threshold):
                return None
            values.append((measurements[index].images, found))
        evidence.append(_evidence(condition, values))
    return evidence[0] | ({"also": evidence[1:]} if len(evidence) > 1 else {})


def _evidence(condition: Condition, values: Sequence[tuple[int, float]]) -> dict[str, Any]:
    return {
        "signal": condition.signal,
        "comparison": condition.comparison,
        "threshold": condition.threshold,
        "values": [{"images": images, "value": found} for images, found in values],
    }
