"""The driver: what runs next, and whether a run goes on. Each decision is in the record before anyone acts on it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import rungs
from pipeline.errors import InputError
from pipeline.health.rules import DEFAULT_RULES, Context, verdict
from pipeline.measurement import Measurement
from pipeline.metrics.catalogue import METRICS
from pipeline.record import Line, Record
from pipeline.search.sampler import Sampler, outcome
from pipeline.seeds import run_seed
from pipeline.spec.base import parse
from pipeline.spec.load import SweepFile
from pipeline.spec.sweep import RuleSpec
from pipeline.spec.trial import TrialSpec, resolve
from pipeline.state import Run, SweepState
from pipeline.training.store import Store

_NON_FINITE = {"non_finite": RuleSpec(**DEFAULT_RULES["non_finite"])}


@dataclass(frozen=True)
class Job:
    """One run as a worker gets it: the resolved spec, the seed, and the folder for checkpoints and samples."""

    trial: int
    seed: int
    spec: dict[str, Any]
    objective: str
    folder: str

    @property
    def name(self) -> str:
        return f"{self.trial}-{self.seed}"


class Driver:
    """Made anew at each start from the record alone; Ray's hooks (cluster/) call its methods, one at a time."""

    def __init__(
        self,
        folder: Path,
        record: Record,
        lines: list[Line],
        file: SweepFile,
        *,
        concurrency: int,
        trials: int,
        cuda: bool,
    ) -> None:
        """`lines`: what the record held when it was opened; `trials`: how many the sweep is to have."""
        self.state = SweepState.fold(lines)
        self._folder, self._record, self._file, self._cuda = folder, record, file, cuda
        self._concurrency, self.trials = concurrency, trials
        metric = METRICS[file.sweep.objective]
        self._sampler = Sampler(file.space, file.sweep.search, metric.minimise, file.known_good)
        self._sampler.replay(lines)
        self._history: list[rungs.Point] = []
        for line in lines:
            self._remember(line)
        self._live: dict[tuple[int, int], Job] = {}
        self._waiting = [(t.number, s) for t in self.state.trials.values() for s in self._unfinished(t.number)]
        self.stopping: str | None = None
        record.listen(self.state.apply)
        record.listen(self._remember)

    def next_job(self) -> Job | None:
        """The next run to start, None when there is none now; see `exhausted` for whether there will be one."""
        if self.stopping or len(self._live) >= self._concurrency:
            return None
        while not self._waiting:
            if len(self.state.trials) >= self.trials:
                return None
            self._propose(len(self.state.trials))
        number, seed = self._waiting.pop(0)
        job = Job(
            number,
            seed,
            self.state.trials[number].spec,
            self._file.sweep.objective,
            str(run_folder(self._folder, number, seed)),
        )
        self._live[number, seed] = job
        return job

    @property
    def exhausted(self) -> bool:
        """Whether no further run will be started by this driver."""
        return self.stopping is not None or (not self._waiting and len(self.state.trials) >= self.trials)

    def started(self, job: Job) -> None:
        """An attempt at the run begins."""
        run = self.state.trials[job.trial].runs.get(job.seed)
        self._record.append("attempt", trial=job.trial, seed=job.seed, attempt=run.attempt + 1 if run else 1)

    def measured(self, job: Job, measurement: Measurement) -> bool:
        """Records a measurement and returns whether the run goes on."""
        run = self._run(job)
        if measurement.images > run.images:
            self._record.append("measurement", **self._key(run), **measurement.as_dict())
        end = self._verdict(run)
        if end is None:
            return True
        self.ended(job, *end)
        return False

    def ended(self, job: Job, reason: str, evidence: dict[str, Any]) -> None:
        """Records the run's end, tells the sampler, and keeps the checkpoints that the end calls for."""
        run = self._run(job)
        self._record.append("run_ended", **self._key(run), reason=reason, evidence=evidence)
        self._live.pop((job.trial, job.seed), None)
        self._sampler.tell(job.trial, outcome(run, self._file.sweep.objective))
        if reason == "rung":
            best = run.best(self._file.sweep.objective)
            store = Store(Path(job.folder))
            store.keep(best=store.at(best[0]) if best else None, last=0 if best else 1)

    def lost(self, job: Job, why: str, final: bool) -> None:
        """The attempt ended through no fault of the run; `final`: it is not tried again."""
        run = self._run(job)
        self._record.append("attempt_ended", **self._key(run), why=why)
        if final:
            self.ended(job, "retries_spent", {"attempts": run.attempt, "last": why})

    def _verdict(self, run: Run) -> tuple[str, dict[str, Any]] | None:
        """Health first: a run that went wrong at its last evaluation is not taken for a completed one."""
        sweep, metric = self._file.sweep, METRICS[self._file.sweep.objective]
        trial = self.state.trials[run.trial]
        budget, every = trial.spec["budget"]["images"], trial.spec["evaluation"]["every"]
        # where the training stopped at a value that is not finite there is nothing to go on with, rule or no rule
        rules = sweep.health if run.measurements[-1].metrics else {**sweep.health, **_NON_FINITE}
        end = verdict(rules, run.measurements, budget, context(self.state))
        if end is not None:
            return end.reason, end.evidence
        if run.images >= budget:
            return "completed", {"images": run.images}
        if not sweep.rungs.enabled:
            return None
        milestones = rungs.milestones(budget, every, sweep.rungs)
        left_out = frozenset((r.trial, r.seed) for r in self.state.runs if r.end_reason and not r.healthy)
        decision = rungs.rung_decision(
            self._history,
            (run.trial, run.seed),
            run.images,
            milestones,
            sweep.rungs.reduction,
            metric.minimise,
            left_out,
        )
        if not decision.stop:
            return None
        return "rung", {"milestone": decision.milestone, "value": decision.value, "cutoff": decision.cutoff}

    def _propose(self, number: int) -> None:
        """A further trial into the record, and into the queue where its configuration can be built."""
        point, source = self._sampler.ask(number)
        _, tree = self._file.space.fixed(point)
        seed = run_seed(self.state.seed, 0)
        try:
            spec = resolve(parse(TrialSpec, tree, self._file.source), cuda=self._cuda)
        except InputError as error:  # a combination that the space allows and the networks do not
            self._record.append("trial", trial=number, point=point, spec=tree, source=source)
            job = Job(number, seed, tree, self._file.sweep.objective, str(run_folder(self._folder, number, seed)))
            self.started(job)
            self.ended(job, "invalid", {"error": str(error)})
            return
        self._record.append("trial", trial=number, point=point, spec=spec.model_dump(mode="json"), source=source)
        self._waiting.append((number, seed))

    def _unfinished(self, number: int) -> list[int]:
        runs = self.state.trials[number].runs
        return [s for s, run in runs.items() if run.state == "running"] if runs else [run_seed(self.state.seed, 0)]

    def _remember(self, line: Line) -> None:
        value = line["metrics"].get(self._file.sweep.objective) if line["event"] == "measurement" else None
        if value is not None:
            self._history.append(rungs.Point((line["trial"], line["seed"]), line["images"], value))

    def _run(self, job: Job) -> Run:
        return self.state.trials[job.trial].runs[job.seed]

    @staticmethod
    def _key(run: Run) -> dict[str, int]:
        return {"trial": run.trial, "seed": run.seed, "attempt": run.attempt}


def context(state: SweepState) -> Context:
    """What the health rules need to know of the sweep besides a run's measurements."""
    return Context(state.metric, METRICS[state.metric].minimise, state.floor, state.floor_spread)


def run_folder(folder: Path, trial: int, seed: int) -> Path:
    return folder / "trials" / str(trial) / f"seed-{seed}"


def classify(error: BaseException, folder: Path) -> tuple[str, dict[str, Any]]:
    """The end reason and its evidence for an error out of a run; the traceback is saved in the run's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "traceback.txt").write_text("".join(traceback.format_exception(error)))
    text = f"{type(error).__name__}: {error}".strip().splitlines()[0][:300]
    evidence = {"error": text, "traceback": "traceback.txt"}
    memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    if memory or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error)):
        return "out_of_memory", evidence
    return ("invalid" if isinstance(error, InputError) else "crashed"), evidence
