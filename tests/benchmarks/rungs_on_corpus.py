"""What rungs cost and lose on runs that were all trained to their end (health_corpus.py): the rule with and without the
standard errors of the samples, at several reductions.

    python -m tests.benchmarks.rungs_on_corpus FILE.jsonl [--draws 300] [--trials 20]

Sweeps of runs of one data set in a random order, two at a time. compute: share of the images that all would have had;
lost: share of the best quarter of a sweep's runs, by their last tails, that was stopped; behind: by how much the best
that came to its end is worse than the best of all, in percent, the mean.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
from pathlib import Path

from pipeline.schema.sweep import RungsSpec
from pipeline.search.rungs import Point, Rule, milestones, rung_decision
from tests.benchmarks.health_score import Curve, read

WORKERS = 2


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--draws", type=int, default=300)
    arguments.add_argument("--trials", type=int, default=20)
    given = arguments.parse_args()
    curves = [curve for curve in read(given.file) if curve.measurements[-1].images >= curve.budget]
    print("| data | reduction | errors | compute | lost | behind |")
    print("|---|---|---|---|---|---|")
    for data in sorted({curve.data for curve in curves}):
        mine = [curve for curve in curves if curve.data == data]
        for reduction, errors in itertools.product((2.0, 3.0, 4.0), (0.0, 1.0, 2.0, 4.0)):
            found = [sweep(mine, given.trials, reduction, errors, seed) for seed in range(given.draws)]
            compute, lost, behind = (statistics.fmean(column) for column in zip(*found, strict=True))
            print(f"| {data} | {reduction:g} | {errors:g} | {compute:.1%} | {lost:.1%} | {behind:.1%} |")


def sweep(curves: list[Curve], trials: int, reduction: float, errors: float, seed: int) -> tuple[float, float, float]:
    """(compute, lost, behind) of one sweep."""
    draw = random.Random(seed)
    chosen = draw.sample(curves, min(trials, len(curves)))
    every, budget = chosen[0].measurements[0].images, chosen[0].budget
    rule = Rule(milestones(budget, every, RungsSpec(reduction=reduction, first=3 * every)), reduction, True, errors)
    waiting, live = list(range(len(chosen))), dict[int, int]()
    history: list[Point] = []
    ended, spent = set[int](), 0
    while waiting or live:
        while waiting and len(live) < WORKERS:
            live[waiting.pop(0)] = 0
        run = draw.choice(sorted(live))
        measured = chosen[run].measurements[live[run]]
        live[run] += 1
        value, error = measured.metrics[chosen[run].objective], measured.errors.get(chosen[run].objective, 0.0)
        history.append(Point(run, measured.images, value, error))
        stop = rung_decision(rule, history, run, measured.images).stop
        if stop or live[run] == len(chosen[run].measurements):
            spent += measured.images
            del live[run]
            ended |= set() if stop else {run}
    tails = [curve.tails[-1] for curve in chosen]
    best = sorted(range(len(tails)), key=tails.__getitem__)[: max(1, len(tails) // 4)]
    reached = min((tails[run] for run in ended), default=max(tails))
    return spent / (budget * len(chosen)), len(set(best) - ended) / len(best), reached / min(tails) - 1


if __name__ == "__main__":
    main()
