"""Where the race of a pick stands by the record."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipeline.picking.intervals import Scale
from pipeline.picking.outcomes import SeedResult
from pipeline.picking.racing import Plan, plan
from pipeline.record.front import objectives
from pipeline.record.runs import Run
from pipeline.record.state import SweepState
from pipeline.seeds import run_seed

FRESH = 1000  # the number of the first replicate; a search's are 0, 1, 2, ...


def neighbours_wanted(state: SweepState) -> list[tuple[int, int]]:
    """The runs (neighbour, replicate) of the last line `perturb` that have not ended, a seed at a time."""
    if not state.perturb:
        return []
    return [
        (number, replicate)
        for replicate in range(state.perturb.seeds)
        for number in state.perturb.neighbours
        if not has_ended(state, number, run_seed(state.seed, FRESH + replicate))
    ]


def has_ended(state: SweepState, number: int, seed: int) -> bool:
    run = state.run(number, seed)
    return run is not None and run.end_reason is not None


def race(state: SweepState, finalists: Sequence[int], seeds: int) -> Plan:
    """Where the race stands by the record."""
    ended = [run for number in finalists for run in state.trials[number].confirmations.values() if run.end_reason]
    scale = scale_of(state)
    results: dict[tuple[int, int], SeedResult] = {}
    for run in ended:
        score = confirmed_score(run, state.metric)
        assert run.replicate is not None
        results[run.trial, run.replicate - FRESH] = None if score is None else scale.to(score)
    against = state.pick.against if state.pick else None
    return plan(finalists, results, seeds, all_stay=bool(objectives(state)), against=against)


def scale_of(state: SweepState) -> Scale:
    """By all runs that confirm, on either part of the data."""
    confirmed = [confirmed_score(run, state.metric) for run in state.confirmations]
    searched = [run.tail(state.metric) for run in state.confirmations if run.end_reason == "completed"]
    return Scale.of(state.metric, [score for score in (*confirmed, *searched) if score is not None], state.own)


def confirmed_score(run: Run, metric: str) -> float | None:
    """The tail on the test part of a run that stayed healthy to its budget; None of any other run."""
    score = run.test_tail(metric)
    return score if run.end_reason == "completed" and score is not None and math.isfinite(score) else None
