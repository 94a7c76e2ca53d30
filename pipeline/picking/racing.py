"""Which finalist is run on which seed next: a pure function of what their runs came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.picking.outcomes import SeedResult, SeedResults, scores
from pipeline.picking.ranking import ranking
from pipeline.picking.regret import sure_to_lose

FIRST = 3  # seeds that every finalist is run on
SURE = 0.94  # that its loss is more than the leader's, to take a finalist out: tests/benchmarks/README.md, Picking


@dataclass(frozen=True)
class Plan:
    """wanted: the runs (finalist, replicate) that are to be made before anything is decided again, empty at the
    end. outcomes: what counts so far. racing: the finalists that can still win."""

    wanted: tuple[tuple[int, int], ...]
    outcomes: SeedResults
    racing: frozenset[int]


def plan(
    finalists: Sequence[int],
    results: Mapping[tuple[int, int], SeedResult],
    seeds: int,
    all_stay: bool = False,
    against: int | None = None,
) -> Plan:
    """Where the race of `finalists` over `seeds` replicates stands, given the runs that ended.

    All are run on 3 seeds; then, a seed at a time, those that can still win, paired by seed, until the one that
    leads has been run on all seeds. Who can win is decided when a whole batch of runs has ended, from batches alone:
    the order in which runs end, and where somebody was killed, make no difference. all_stay: nobody is taken out, as
    where they are there for something else than their score. against: the finalist that the winner will be compared
    with, which is run on all seeds too, out of the race or not, but where no seed of it was healthy: a difference on 3
    pairs of seeds can be told from none only where it is large.
    """
    outcomes: dict[int, list[SeedResult]] = {finalist: [] for finalist in finalists}
    racing = frozenset(finalists)
    batch = [(finalist, replicate) for replicate in range(min(FIRST, seeds)) for finalist in finalists]
    while batch:
        wanted = tuple(run for run in batch if run not in results)
        if wanted:
            return Plan(wanted, outcomes, racing)
        for finalist, replicate in batch:
            outcomes[finalist].append(results[finalist, replicate])
        racing = racing if all_stay else still_racing(outcomes, racing)
        on = racing | {against} if against is not None and scores(outcomes[against]) else racing
        left = [finalist for finalist in finalists if finalist in on and len(outcomes[finalist]) < seeds]
        if len(racing) == 1:  # nothing is left to be decided between its runs
            batch = [(finalist, at) for finalist in left for at in range(len(outcomes[finalist]), seeds)]
        else:
            batch = [(finalist, len(outcomes[finalist])) for finalist in left]
    return Plan((), outcomes, racing)


def still_racing(outcomes: SeedResults, racing: frozenset[int]) -> frozenset[int]:
    """The finalists that can still win: not those that would surely be regretted more than the one that leads. One
    that was out comes back when the leader fails on later seeds."""
    leader = next(each for each in ranking(outcomes) if each in racing)
    losing = sure_to_lose(outcomes, leader)
    return frozenset(each for each in outcomes if each == leader or losing[each] <= SURE)
