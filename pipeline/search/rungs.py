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
    """One evaluation of a run: the budget it had used, in images, and the value of the objective."""

    run: Hashable
    images: int
    value: float


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
    history: Sequence[Point],
    run: Hashable,
    images: int,
    milestones: Sequence[int],
    reduction: float,
    minimise: bool,
    excluded: Collection[Hashable] = frozenset(),
    use_tail: bool = True,
) -> Decision:
    """Whether `run` goes on after its evaluation at `images`, which is in `history` (in record order).

    A run is compared at the highest milestone that it has passed, at the first evaluation past it, with the runs
    that came there before: it stops when its tail (use_tail=False: its last value) is worse than their quantile
    at 1 - 1 / reduction. What came later is not looked at, so an evaluation that is repeated after a resume is
    decided as it was. Runs in `excluded` (stopped for their health) and values that are not finite are compared
    with by nobody; a run whose own value is not finite stops where there is any other.
    """
    milestone, value = _arrival(history, run, images, milestones, use_tail)
    if milestone is None or value is None:
        return Decision(stop=False)
    sign = -1.0 if minimise else 1.0
    others = []
    for other, past in _before(history, run, images).items():
        if other in excluded or other == run:
            continue
        first = next((p for p in past if _milestone(p.images, milestones) == milestone), None)
        if first is not None:
            _, reached = _arrival(past, other, first.images, milestones, use_tail)
            if reached is not None and math.isfinite(reached):
                others.append(sign * reached)
    if not others:
        return Decision(False, milestone, value, None)
    quantile = float(np.percentile(others, (1 - 1 / reduction) * 100))
    stop = not math.isfinite(value) or sign * value < quantile
    return Decision(stop, milestone, value, sign * quantile)


def _milestone(images: int, milestones: Sequence[int]) -> int | None:
    """The highest that was passed."""
    return max((milestone for milestone in milestones if milestone <= images), default=None)


def _arrival(
    history: Sequence[Point], run: Hashable, images: int, milestones: Sequence[int], use_tail: bool
) -> tuple[int | None, float | None]:
    """The milestone that the run came to with its evaluation at `images`, and what it is compared by there."""
    past = [point for point in history if point.run == run and point.images <= images]
    past = [point for at, point in enumerate(past) if at == 0 or point.images > past[at - 1].images]
    if not past or past[-1].images != images:
        raise ValueError(f"no evaluation of {run} at {images} images in the history")
    milestone = _milestone(images, milestones)
    if milestone is None or (len(past) > 1 and past[-2].images >= milestone):
        return None, None
    values = [point.value for point in past]
    return milestone, tail(values) if use_tail else values[-1]


def _before(history: Sequence[Point], run: Hashable, images: int) -> dict[Hashable, list[Point]]:
    """The evaluations of each run up to that of `run` at `images`."""
    runs: dict[Hashable, list[Point]] = {}
    for point in history:
        if (point.run, point.images) == (run, images):
            break
        runs.setdefault(point.run, []).append(point)
    return runs
