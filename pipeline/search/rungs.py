"""Stop or go on: asynchronous successive halving (Li et al. 2020) as a pure function of what runs have reached."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.record.runs import TAIL, tail
from pipeline.schema.sweep import RungsSpec


@dataclass(frozen=True)
class Point:
    """One evaluation of a run: the budget it had used, in images, and the value of the objective with its standard
    error over redraws of the samples."""

    run: Hashable
    images: int
    value: float
    error: float = 0.0


@dataclass(frozen=True)
class Rule:
    """Of a sweep: the rungs in images, the share 1 / reduction of runs that goes on at each, and by how many standard
    errors a run must be worse than what it had to reach. use_tail=False: the last value in place of the tail."""

    milestones: Sequence[int]
    reduction: float
    minimise: bool
    errors: float = 0.0
    use_tail: bool = True


@dataclass(frozen=True)
class Decision:
    """milestone: the rung that was decided at, None where this evaluation reached none; value: what the run was
    compared by; cutoff: what it had to reach, None for the first to come to the rung."""

    stop: bool
    milestone: int | None = None
    value: float | None = None
    cutoff: float | None = None


def milestones(budget_images: int, every: int, spec: RungsSpec) -> list[int]:
    """The rungs in images, ascending, each at an evaluation and below the budget: the first at `spec.first` but
    not before the third evaluation, then each `spec.reduction` times the one before. Empty where rungs are off."""
    rungs: list[int] = []
    rung = float(max(spec.first or 0, TAIL * every))
    while spec.enabled and rung < budget_images:
        at = math.ceil(rung / every) * every
        if at < budget_images and at not in rungs:
            rungs.append(at)
        rung *= spec.reduction
    return rungs


def rung_decision(
    rule: Rule, history: Sequence[Point], run: Hashable, images: int, excluded: Collection[Hashable] = frozenset()
) -> Decision:
    """Whether `run` goes on after its evaluation at `images`, which is in `history` (in record order).

    A run is compared at the highest milestone that it has passed, at the first evaluation past it, with the runs
    that came there before: it stops when its tail is worse than their quantile at 1 - 1 / reduction, by more than the
    rule's standard errors of the tail. What came later is not looked at, so an evaluation that is repeated after a
    resume is decided as it was. Runs in `excluded` (stopped for their health) and values that are not finite are
    compared with by nobody; a run whose own value is not finite stops where there is any other.
    """
    milestone, value, error = _arrival(rule, history, run, images)
    if milestone is None or value is None:
        return Decision(stop=False)
    sign = -1.0 if rule.minimise else 1.0
    others = []
    for other, past in _before(history, run, images).items():
        if other in excluded or other == run:
            continue
        first = next((p for p in past if _milestone(p.images, rule.milestones) == milestone), None)
        if first is not None:
            _, reached, _ = _arrival(rule, past, other, first.images)
            if reached is not None and math.isfinite(reached):
                others.append(sign * reached)
    if not others:
        return Decision(False, milestone, value, None)
    quantile = float(np.percentile(others, (1 - 1 / rule.reduction) * 100))
    stop = not math.isfinite(value) or sign * value + rule.errors * error < quantile
    return Decision(stop, milestone, value, sign * quantile)


def _milestone(images: int, milestones: Sequence[int]) -> int | None:
    """The highest that was passed."""
    return max((milestone for milestone in milestones if milestone <= images), default=None)


def _arrival(
    rule: Rule, history: Sequence[Point], run: Hashable, images: int
) -> tuple[int | None, float | None, float]:
    """The milestone that the run came to with its evaluation at `images`, and what it is compared by there, with its
    standard error: that of one evaluation, since all are of the same inputs."""
    past = [point for point in history if point.run == run and point.images <= images]
    past = [point for at, point in enumerate(past) if at == 0 or point.images > past[at - 1].images]
    if not past or past[-1].images != images:
        raise ValueError(f"no evaluation of {run} at {images} images in the history")
    milestone = _milestone(images, rule.milestones)
    if milestone is None or (len(past) > 1 and past[-2].images >= milestone):
        return None, None, 0.0
    values = [point.value for point in past]
    error = tail([point.error for point in past]) or 0.0
    return milestone, tail(values) if rule.use_tail else values[-1], error


def _before(history: Sequence[Point], run: Hashable, images: int) -> dict[Hashable, list[Point]]:
    """The evaluations of each run up to that of `run` at `images`."""
    runs: dict[Hashable, list[Point]] = {}
    for point in history:
        if (point.run, point.images) == (run, images):
            break
        runs.setdefault(point.run, []).append(point)
    return runs
