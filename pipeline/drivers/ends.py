"""What health says of a run by itself, a search's or a lone one: that it is over, or a warning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.health.rules import Context, end_of, warnings_of
from pipeline.record.runs import Run
from pipeline.record.state import SweepState
from pipeline.schema.health import DEFAULT_RULES, RuleSpec

_NON_FINITE = {"non_finite": RuleSpec(**DEFAULT_RULES["non_finite"])}


def end_by_itself(
    health: Mapping[str, RuleSpec], run: Run, budget: int, compared_by: Context
) -> tuple[str, dict[str, Any]] | None:
    """End reason and evidence of a run at its last evaluation, by nothing but itself; None: it goes on. Health first:
    one that went wrong at its last evaluation is not taken for a completed one."""
    # where the training stopped at a value that is not finite there is nothing to go on with, rule or no rule
    rules = health if run.measurements[-1].metrics else {**health, **_NON_FINITE}
    end = end_of(rules, run.measurements, budget, compared_by)
    if end is not None:
        return end.reason, end.evidence
    return ("completed", {"images": run.images}) if run.images >= budget else None


def warned(health: Mapping[str, RuleSpec], run: Run, budget: int, compared_by: Context) -> list[str]:
    """What the rules that warn say of a run's last evaluation, a line each."""
    warnings = warnings_of(health, run.measurements, budget, compared_by)
    return [
        f"{name} at {run.images:,} images: {end.evidence['signal']} {end.evidence['values'][-1]['value']:.3g} "
        f"{end.evidence['comparison']} {end.evidence['threshold']:g}; the run goes on"
        for name, end in warnings.items()
    ]


def context(state: SweepState) -> Context:
    """What the health rules need to know of the sweep besides a run's measurements."""
    return Context(state.metric, state.known.minimise, state.floor, state.floor_spread)
