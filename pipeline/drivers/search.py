"""The driver of a sweep: what runs next, and whether a run goes on. Each decision is in the record before anyone
acts on it."""

from __future__ import annotations

from typing import Any

from pipeline.drivers.driver import Assignment, Driver
from pipeline.drivers.job import Attempt, Job
from pipeline.errors import InputError
from pipeline.record.events import Line, Measured, every
from pipeline.record.runs import Run
from pipeline.schema.base import parse
from pipeline.schema.trial import TrialSpec, resolve
from pipeline.search import rungs
from pipeline.search.sampler import Sampler, trial_outcome
from pipeline.seeds import derive, run_seed


class SearchDriver(Driver):
    """The search: proposes trials, and stops at rungs the runs that are worse than others."""

    def __init__(self, given: Assignment, trials: int, *, cuda: bool) -> None:
        """`trials`: how many the sweep is to have."""
        super().__init__(given)
        self._cuda, self._trials = cuda, trials
        self._sampler = Sampler.of(given.file)
        self._sampler.replay(given.lines)
        self._first_seed = run_seed(self.state.seed, 0)
        self._history: list[rungs.Point] = []
        for line in given.lines:
            self._remember(line)
        self._waiting = [(t.number, s) for t in self.state.trials.values() for s in self._unfinished(t.number)]
        given.record.listen(self._remember)
        self._promote()  # it may have been killed right before

    def next_job(self) -> Job | None:
        if self.stopping or self._place() is None:
            return None
        while True:
            for at, (number, seed) in enumerate(self._waiting):  # the first one but for what a node is at fault for
                if (job := self._job(number, seed)) is not None:
                    del self._waiting[at]
                    return job
            if len(self.state.trials) >= self._trials:
                return None
            self._propose(len(self.state.trials))

    @property
    def exhausted(self) -> bool:
        if self.stopping is not None:
            return True
        # one that is live may be lost, and wait again
        return not self._waiting and not self._live and len(self.state.trials) >= self._trials

    @property
    def _further(self) -> int:
        return len(self._waiting) + max(0, self._trials - len(self.state.trials))

    def _retry(self, attempt: Attempt) -> None:
        self._waiting.insert(0, (attempt.trial, attempt.seed))

    def _after(self, attempt: Attempt, run: Run) -> None:
        """Tells the sampler."""
        trial = self.state.trials[attempt.trial]
        if run.settles:
            self._waiting = [(number, seed) for number, seed in self._waiting if number != attempt.trial]
        if (told := trial_outcome(trial, self._file.sweep.objective, self._file.sweep.objectives)) is not None:
            self._sampler.tell(attempt.trial, told)
        self._promote()

    def _compared(self, run: Run) -> tuple[str, dict[str, Any]] | None:
        """At a rung: of a trial's first seed alone, a further one is there to be known to its end; and not of the
        default, whose end all others are held against."""
        sweep, metric = self._file.sweep, self._file.metric
        trial = self.state.trials[run.trial]
        if not sweep.rungs.enabled or run.seed != self._first_seed or trial is self.state.default:
            return None
        spec = trial.spec
        milestones = rungs.milestones(spec["budget"]["images"], spec["evaluation"]["every"], sweep.rungs)
        left_out = frozenset((r.trial, r.seed) for r in self.state.runs if r.end_reason and not r.healthy)
        rule = rungs.Rule(milestones, sweep.rungs.reduction, metric.minimise, sweep.rungs.errors)
        decision = rungs.rung_decision(rule, self._history, (run.trial, run.seed), run.images, left_out)
        if not decision.stop:
            return None
        return "rung", {"milestone": decision.milestone, "value": decision.value, "cutoff": decision.cutoff}

    def _audits(self, run: Run, reason: str) -> bool:
        """A share of them, drawn by the run's seeds: it is the same after a restart. A training that stopped at a value
        that is not finite cannot go on."""
        drawn = derive(self.state.seed, "audit", run.trial, run.seed) / 2**31
        return reason != "non_finite" and drawn < self._file.sweep.search.audit

    def _promote(self) -> None:
        """Gives more seeds to the trials that are among the best so far: a function of what has ended."""
        promote = self._file.sweep.search.promote
        if promote is None:
            return
        ended = {number for number, trial in self.state.trials.items() if trial.state == "finished"}
        best = [trial for trial in self.state.ranking() if trial.number in ended][: int(len(ended) * promote.top)]
        for trial in best:
            if trial.end_reason == "completed" and trial.seeds < promote.seeds:
                self._record.append("promoted", trial=trial.number, seeds=promote.seeds)
                self._waiting += [(trial.number, seed) for seed in self._unfinished(trial.number)]

    def _propose(self, number: int) -> None:
        """A further trial into the record, and into the queue where its configuration can be built."""
        point, source = self._sampler.ask(number)
        _, tree = self._file.space.fixed(point)
        try:
            spec = resolve(parse(TrialSpec, tree, self._file.source), cuda=self._cuda)
        except InputError as error:  # a combination that the space allows and the networks do not
            self._record.append("trial", trial=number, point=point, spec=tree, source=source)
            seed = run_seed(self.state.seed, 0)
            attempt = self._attempt(number, seed)
            self.started(attempt)
            self.ended(attempt, "invalid", {"error": str(error)})
            return
        self._record.append("trial", trial=number, point=point, spec=spec.model_dump(mode="json"), source=source)
        self._waiting += [(number, seed) for seed in self._unfinished(number)]

    def _unfinished(self, number: int) -> list[int]:
        """The seeds that a trial is still to be run on, and on none other where one of its runs settled it."""
        trial = self.state.trials[number]
        if any(run.settles for run in trial.runs.values()):
            return [seed for seed, run in trial.runs.items() if run.state == "running"]
        wanted = (run_seed(self.state.seed, replicate) for replicate in range(trial.seeds))
        return [seed for seed in wanted if seed not in trial.runs or trial.runs[seed].state == "running"]

    def _remember(self, line: Line) -> None:
        for event in every(Measured, [line]):
            value = event.metrics.get(self._file.sweep.objective)
            if event.seed == self._first_seed and value is not None:
                error = event.errors.get(self._file.sweep.objective, 0.0)
                self._history.append(rungs.Point((event.trial, event.seed), event.images, value, error))
