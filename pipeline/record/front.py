"""Several objectives: what each trial is worth by each, and the trials that no other one beats in all of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from pipeline.record.runs import Run, median
from pipeline.record.state import SweepState
from pipeline.record.trials import Trial
from pipeline.schema.metrics import known
from pipeline.schema.sweep import ObjectiveSpec

NOT_REACHED = 2  # budgets, that a target counts as which was not reached


def objectives(state: SweepState) -> tuple[ObjectiveSpec, ...]:
    """The objectives of a sweep that has several; none of one that has one."""
    return tuple(ObjectiveSpec.model_validate(each) for each in state.spec.get("objectives", ()))


def minimises(objective: ObjectiveSpec, own: dict[str, bool]) -> bool:
    return objective.reach is not None or known(objective.metric, own).minimise


def value(run: Run, objective: ObjectiveSpec, budget: int) -> float | None:
    """Of one run: the metric's tail, or the images until it first was at `reach` or better, twice the `budget` where
    it never was; None where it was not measured."""
    if objective.reach is None:
        return run.tail(objective.metric)
    sign = 1 if run.minimises(objective.metric) else -1
    measured = run.values(objective.metric)
    reached = [images for images, seen in measured if sign * seen <= sign * objective.reach]
    if not measured:
        return None
    return float(reached[0] if reached else NOT_REACHED * budget)


def values(runs: Iterable[Run], objective: ObjectiveSpec, budget: int) -> float | None:
    """The median over runs."""
    return median(value(run, objective, budget) for run in runs)


def of_trial(trial: Trial, wanted: Sequence[ObjectiveSpec]) -> tuple[float, ...] | None:
    """A trial's values over its healthy runs; None where one is not there or not finite."""
    healthy = [run for run in trial.runs.values() if run.healthy]
    of_each = [values(healthy, each, trial.spec["budget"]["images"]) for each in wanted]
    finite = [each for each in of_each if each is not None and math.isfinite(each)]
    return tuple(finite) if finite and len(finite) == len(wanted) else None


def front(points: dict[int, tuple[float, ...]], minimise: Sequence[bool]) -> list[int]:
    """The Pareto front: whom no other is at least as good as in all, and better in one."""
    signed = {
        at: [each if less else -each for each, less in zip(point, minimise, strict=True)]
        for at, point in points.items()
    }

    def beaten(at: int) -> bool:
        mine = signed[at]
        return any(
            all(a <= b for a, b in zip(other, mine, strict=True)) and other != mine
            for number, other in signed.items()
            if number != at
        )

    return [at for at in points if not beaten(at)]


def best_trials(state: SweepState) -> dict[int, tuple[float, ...]]:
    """The trials on the front of a sweep with several objectives, with their values, by the first one; of completed
    trials alone."""
    wanted = objectives(state)
    done = [trial for trial in state.trials.values() if trial.end_reason == "completed"]
    points = {trial.number: point for trial in done if (point := of_trial(trial, wanted)) is not None}
    minimise = [minimises(each, state.own) for each in wanted]
    chosen = front(points, minimise) if wanted else []
    sign = 1 if minimise and minimise[0] else -1
    return {number: points[number] for number in sorted(chosen, key=lambda at: (sign * points[at][0], at))}


def words(state: SweepState) -> list[str]:
    """The front in lines."""
    wanted, best = objectives(state), best_trials(state)
    if not best:
        return []
    count = f"{len(best)} trials, none better in all" if len(best) > 1 else "one trial, the best in all"
    lines = [f"front of {', '.join(each.name for each in wanted)}: {count}"]
    for number, point in best.items():
        parts = (f"{each.name} {value:.4g}" for each, value in zip(wanted, point, strict=True))
        lines.append(f"  trial {number}: {', '.join(parts)}")
    return lines
