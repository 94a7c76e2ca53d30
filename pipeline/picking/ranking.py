"""Who is best: who is regretted least, and never one that another beats in all that a table shows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pipeline.picking.outcomes import SeedResult, SeedResults, scores, share
from pipeline.picking.regret import expected_losses


def ranking(outcomes: SeedResults, racing: Collection[int] | None = None) -> list[int]:
    """The finalists, best first: by expected regret, but none before one that dominates it.

    Those out of the race (not in `racing`; None: all are in it) come after those in it: they were run on fewer seeds,
    and a share of 3 out of 3 is not more than one of 9 out of 10. Only the first place is kept from one that is
    dominated by one out of the race.
    """
    losses = expected_losses(outcomes)
    out = {finalist for finalist in outcomes if racing is not None and finalist not in racing}
    shown = {finalist: Shown.of(each) for finalist, each in outcomes.items()}
    left = sorted(outcomes, key=lambda finalist: (finalist in out, losses[finalist], finalist))
    order = list[int]()
    while left:
        # out of the race is no reason to be passed over where it comes to whom to take
        rivals = [other for other in left if not order or (other in out) == (left[0] in out)]
        first = next(one for one in left if not any(shown[other].dominates(shown[one]) for other in rivals))
        left.remove(first)
        order.append(first)
    return order


def dominated(one: Sequence[SeedResult], other: Sequence[SeedResult]) -> bool:
    """Whether the other one, on as many seeds or more, is as good or better in median, worst seed and share of healthy
    seeds, and better in one of them: see Shown."""
    return Shown.of(other).dominates(Shown.of(one))


@dataclass(frozen=True)
class Shown:
    """A finalist as a table shows it, less is better. healthy: median and worst of the healthy seeds. all: of all
    seeds, a failed one worse than any score. Infinite without a healthy seed."""

    seeds: int
    share: float
    healthy: tuple[float, float]
    all: tuple[float, float]

    @classmethod
    def of(cls, outcomes: Sequence[SeedResult]) -> Shown:
        healthy_scores = scores(outcomes)
        return cls(
            len(outcomes),
            share(outcomes),
            _middle_and_worst(healthy_scores),
            _middle_and_worst([math.inf if score is None else score for score in outcomes]),
        )

    def dominates(self, other: Shown) -> bool:
        """Both readings of median and worst count where the share is greater; where it is equal, that of the healthy
        seeds: the two could contradict each other there, and no order would be left."""
        if self.seeds < other.seeds or self.share < other.share:
            return False
        healthy = all(mine <= its for mine, its in zip(self.healthy, other.healthy, strict=True))
        if self.share == other.share:
            return healthy and self.healthy != other.healthy
        return healthy or all(mine <= its for mine, its in zip(self.all, other.all, strict=True))


def _middle_and_worst(values: Sequence[float]) -> tuple[float, float]:
    return (statistics.median(values), max(values)) if values else (math.inf, math.inf)
