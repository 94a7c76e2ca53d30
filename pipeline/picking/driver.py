"""The driver of a pick: finalists on fresh seeds, to the full budget, as the race wants them; then the neighbours of
its winner, where they were asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.front import objectives
from pipeline.picking.intervals import Scale
from pipeline.picking.racing import Plan, plan
from pipeline.picking.ranking import Outcome
from pipeline.record import Line, Record
from pipeline.results import Run
from pipeline.runs import Job, Runner
from pipeline.seeds import run_seed
from pipeline.spec.load import SweepFile
from pipeline.state import SweepState

FRESH = 1000  # the number of the first replicate; a search's are 0, 1, 2, ...


class PickDriver(Runner):
    """The race (picking/racing.py) over Ray: health rules on, no rungs, and nobody but the record learns of it.

    `then` is called once, when the race is over: it writes down which neighbours are wanted (picking/neighbours.py)
    and says whether there are any.
    """

    def __init__(
        self,
        folder: Path,
        record: Record,
        lines: list[Line],
        file: SweepFile,
        *,
        concurrency: int,
        finalists: Sequence[int],
        seeds: int,
        then: Callable[[SweepState], bool] | None = None,
    ) -> None:
        super().__init__(folder, record, lines, file)
        self._concurrency, self._finalists, self._seeds = concurrency, finalists, seeds
        self._then, self._with_neighbours = then, False
        self.plan = race(self.state, finalists, seeds)
        self._go_over()

    def next_job(self) -> Job | None:
        if self.stopping or len(self._live) >= self._concurrency:
            return None
        for number, replicate in self.wanted:
            seed = run_seed(self.state.seed, FRESH + replicate)
            if (number, seed) in self._live or _has_ended(self.state, number, seed):
                continue
            job = self._job(number, seed, FRESH + replicate)
            self._live[number, seed] = job
            return job
        return None

    @property
    def wanted(self) -> Sequence[tuple[int, int]]:
        """The runs (trial or neighbour, replicate) that are to be made now."""
        return self.plan.wanted or (neighbours_wanted(self.state) if self._with_neighbours else ())

    @property
    def exhausted(self) -> bool:
        return self.stopping is not None or not self.wanted

    def _after(self, job: Job, run: Run) -> None:
        if job.trial not in self.state.neighbours:
            self.plan = race(self.state, self._finalists, self._seeds)
            self._go_over()

    def _go_over(self) -> None:
        """From the race to the neighbours."""
        if not self.plan.wanted and self._then is not None:
            then, self._then = self._then, None
            self._with_neighbours = then(self.state)


def neighbours_wanted(state: SweepState) -> list[tuple[int, int]]:
    """The runs (neighbour, replicate) of the last line `perturb` that have not ended, a seed at a time."""
    if not state.perturb:
        return []
    return [
        (number, replicate)
        for replicate in range(state.perturb["seeds"])
        for number in state.perturb["neighbours"]
        if not _has_ended(state, number, run_seed(state.seed, FRESH + replicate))
    ]


def _has_ended(state: SweepState, number: int, seed: int) -> bool:
    run = state.run(number, seed)
    return run is not None and run.end_reason is not None


def race(state: SweepState, finalists: Sequence[int], seeds: int) -> Plan:
    """Where the race stands by the record."""
    ended = [run for number in finalists for run in state.trials[number].confirmations.values() if run.end_reason]
    scale = scale_of(state)
    results: dict[tuple[int, int], Outcome] = {}
    for run in ended:
        score = confirmed_score(run, state.metric)
        assert run.replicate is not None
        results[run.trial, run.replicate - FRESH] = None if score is None else scale.to(score)
    return plan(finalists, results, seeds, all_stay=bool(objectives(state)))


def scale_of(state: SweepState) -> Scale:
    """By all runs that confirm, on either part of the data."""
    found = [confirmed_score(run, state.metric) for run in state.confirmations]
    searched = [run.tail(state.metric) for run in state.confirmations if run.end_reason == "completed"]
    return Scale.of(state.metric, [score for score in (*found, *searched) if score is not None], state.own)


def confirmed_score(run: Run, metric: str) -> float | None:
    """The tail on the test part of a run that stayed healthy to its budget; None of any other run."""
    score = run.test_tail(metric)
    return score if run.end_reason == "completed" and score is not None and math.isfinite(score) else None
