"""Whether stopping was right: by the runs that were to be stopped and were let go on, and by other rules."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.drivers.ends import context
from pipeline.health.rules import replay
from pipeline.record.runs import HEALTH_REASONS, Run
from pipeline.record.state import SweepState
from pipeline.schema.health import RuleSpec


def audited(state: SweepState) -> list[str]:
    """What the runs that were let go on say of the stops, in a line; nothing without any.

    A stop was wrong where the run came to its end in health, and there to a tail that is at least as good as the median
    of those that nothing was to stop."""
    runs = [run for run in state.runs if run.audited]
    ended = [run for run in runs if run.end_reason is not None]
    if not runs:
        return []
    wrong = [run for run in ended if _was_wrong(state, run)]
    stopped = [run for run in state.runs if run.end_reason in (*HEALTH_REASONS, "rung") and run.images]
    hours = sum(left(state, run) for run in stopped) / 3600
    said = f"audit: {len(runs)} of {len(runs) + len(stopped)} runs that were to be stopped went on, "
    said += f"{len(ended)} of them to an end: {len(wrong)} stop{'' if len(wrong) == 1 else 's'} would have been wrong"
    if wrong:
        said += " (" + ", ".join(f"trial {run.trial}, {run.audited.reason}" for run in wrong if run.audited) + ")"
    return [f"{said}; the other stops saved about {hours * (state.share or 1.0):.2g} hours"]


def _was_wrong(state: SweepState, run: Run) -> bool:
    undisturbed = [each for each in state.runs if each.end_reason == "completed" and not each.audited]
    tails = [tail for each in undisturbed if (tail := each.tail(state.metric)) is not None]
    mine = run.tail(state.metric)
    if run.end_reason != "completed" or mine is None or not tails:
        return False
    middle = statistics.median(tails)
    return mine <= middle if state.known.minimise else mine >= middle


def left(state: SweepState, run: Run) -> float:
    """Seconds that a run would have gone on for, at its own pace."""
    budget = state.configuration(run.trial).spec["budget"]["images"]
    return run.seconds * (budget - run.images) / run.images if run.images else 0.0


@dataclass(frozen=True)
class Stop:
    """A run that other rules would have stopped. saved: seconds from there to where it did end."""

    trial: int
    seed: int
    ended: str  # as it did end
    reason: str
    rule: str
    images: int
    saved: float
    well: bool  # it ended well


@dataclass(frozen=True)
class Replayed:
    """What other rules would have made of a sweep's runs, search and pick."""

    runs: int
    stops: tuple[Stop, ...]
    missed: tuple[
        tuple[int, int, str], ...
    ]  # trial, seed and reason of runs that were stopped, and would not have been
    warnings: Mapping[str, int]  # evaluations at which a rule that warns held, by rule

    @property
    def saved(self) -> float:
        return sum(stop.saved for stop in self.stops)

    @property
    def wrong(self) -> list[Stop]:
        """Those that ended well."""
        return [stop for stop in self.stops if stop.well]

    def document(self) -> dict[str, Any]:
        """For --json."""
        return {**asdict(self), "saved": self.saved, "killed_well": len(self.wrong)}


def replayed(state: SweepState, rules: Mapping[str, RuleSpec]) -> Replayed:
    """Each run with an end, judged anew at each of its evaluations. It says nothing of what follows from other stops,
    as other proposals."""
    compared_by, warned = context(state), Counter[str]()
    stops, missed = [], []
    runs = [run for run in (*state.runs, *state.confirmations, *state.perturbed) if run.end_reason and run.measurements]
    for run in runs:
        budget = state.configuration(run.trial).spec["budget"]["images"]
        for name, rule in rules.items():
            if rule.action == "warn" and replay({name: _stopping(rule)}, run.measurements, budget, compared_by):
                warned[name] += 1
        stop = replay(rules, run.measurements, budget, compared_by)
        if stop is None:
            if run.end_reason in HEALTH_REASONS:
                missed.append((run.trial, run.seed, str(run.end_reason)))
            continue
        at, end = stop
        measured = run.measurements[at]
        stops.append(
            Stop(
                trial=run.trial,
                seed=run.seed,
                ended=str(run.end_reason),
                reason=end.reason,
                rule=str(end.evidence["rule"]),
                images=measured.images,
                saved=run.measurements[-1].seconds - measured.seconds,
                well=run.end_reason == "completed",
            )
        )
    return Replayed(len(runs), tuple(stops), tuple(missed), dict(warned))


def _stopping(rule: RuleSpec) -> RuleSpec:
    return rule.model_copy(update={"action": "stop"})
