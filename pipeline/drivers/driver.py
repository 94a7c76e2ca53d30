"""What every driver of runs does: hand them out, and record what they do before anyone acts on it."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import faults
from pipeline.deadline import hung
from pipeline.health.rules import Context, end_of
from pipeline.record.events import DriverSaid, Line, every
from pipeline.record.home import run_folder, sweep_folder
from pipeline.record.lock import Fence
from pipeline.record.log import Record
from pipeline.record.measurement import Measurement
from pipeline.record.state import SweepState
from pipeline.record.trials import Run
from pipeline.schema.health import DEFAULT_RULES, RuleSpec
from pipeline.space.load import SweepFile
from pipeline.space.places import placed

SCRATCH = "ray"  # in a sweep's folder while its driver is at work
_NON_FINITE = {"non_finite": RuleSpec(**DEFAULT_RULES["non_finite"])}


@dataclass(frozen=True)
class Job:
    """One attempt at a run as a worker gets it: the resolved spec, the seed, and the folder for checkpoints and
    samples. replicate: the number of the seed where the run confirms a finalist (see picking/): its last evaluations
    are then made on the test part too. attempt, session: whose it is; a worker asks before each write whether the
    driver of that session still holds the sweep (session "": nobody else can)."""

    trial: int
    seed: int
    spec: dict[str, Any]
    objective: str
    folder: str
    replicate: int | None = None
    attempt: int = 1
    session: str = ""

    def check(self) -> None:
        """Raises Superseded where the attempt may write no more."""
        if self.session:
            Fence(sweep_folder(Path(self.folder)), self.session).check()


@dataclass(frozen=True)
class Assignment:
    """What a session (sweeps/session.py) hands to its driver."""

    folder: Path  # the sweep's, absolute
    record: Record  # open for writing
    lines: list[Line]  # what it holds
    file: SweepFile
    slots: int  # runs at a time


class Driver(ABC):
    """Abstract. Made anew at each start from the record alone; Ray's hooks (cluster/) call its methods, one at a
    time. A subclass says which run is next and what becomes of one that is well.

    All of it belongs to the thread that Ray's hooks run in. Another thread may set `stopping`, and reads the sweep
    from a Follower of its own (record/state.py), never from `state`.
    """

    def __init__(self, given: Assignment) -> None:
        self.state = SweepState.fold(given.lines, given.folder)
        self.stopping: str | None = None
        self._folder, self._record, self._file, self._slots = given.folder, given.record, given.file, given.slots
        self._live: dict[tuple[int, int], Job] = {}
        starts = [driver for driver in every(DriverSaid, given.lines) if driver.started]
        self._session = starts[-1].session if starts else ""
        self._moved: dict[str, str] = starts[-1].launch.get("moved", {}) if starts else {}
        given.record.listen(self.state.apply)

    @abstractmethod
    def next_job(self) -> Job | None:
        """The next run to start, None when there is none now; see `exhausted` for whether there will be one."""

    @property
    @abstractmethod
    def exhausted(self) -> bool:
        """Whether no further run will be started by this driver."""

    @abstractmethod
    def _after(self, job: Job, run: Run) -> None:
        """What follows from a run's end, which is recorded."""

    def _compared(self, run: Run) -> tuple[str, dict[str, Any]] | None:
        """End reason and evidence for a healthy run below its budget that is not to go on; None: it goes on."""
        return None

    def _job(self, number: int, seed: int, replicate: int | None = None) -> Job:
        """The next attempt at a run."""
        run = self.state.run(number, seed)
        return Job(
            number,
            seed,
            placed(self.state.configuration(number).spec, self._moved),
            self._file.sweep.objective,
            str(run_folder(self._folder, number, seed)),
            replicate,
            run.attempt + 1 if run else 1,
            self._session,
        )

    def _retry(self, job: Job) -> None:
        """Has next_job() hand out a job again whose attempt was lost; nothing to do where it looks at the state."""
        return

    def started(self, job: Job) -> None:
        """An attempt at the run begins."""
        confirms = {} if job.replicate is None else {"replicate": job.replicate}
        self._record.append("attempt", trial=job.trial, seed=job.seed, attempt=job.attempt, **confirms)

    def measured(self, job: Job, measurement: Measurement) -> bool:
        """Records a measurement and returns whether the run goes on."""
        run = self._run(job)
        for text in measurement.notices:
            self._record.append("notice", **_key(run), text=text)
        if measurement.images > run.images:
            found = {name: value for name, value in measurement.as_dict().items() if name != "notices"}
            self._record.append("measurement", **_key(run), **found)
        end = self._end_of(run)
        if end is None:
            return True
        self.ended(job, *end)
        return False

    def ended(self, job: Job, reason: str, evidence: dict[str, Any]) -> None:
        """Records the run's end, and does what follows from it."""
        run = self._run(job)
        self._record.append("run_ended", **_key(run), reason=reason, evidence=evidence)
        self._live.pop((job.trial, job.seed), None)
        self._after(job, run)

    def faulted(self, job: Job, kind: str, evidence: dict[str, Any]) -> None:
        """The attempt ended through no fault of the run, as far as is known: it is tried again, from its checkpoint,
        until its attempts are spent. A full disk stops the sweep, and so does another driver that has taken it over;
        while it is stopping nothing is counted."""
        run = self._run(job)
        self._live.pop((job.trial, job.seed), None)
        if kind in (faults.DISK_FULL, faults.SUPERSEDED):
            self.stopping = self.stopping or kind
        if self.stopping:
            return
        self._record.append("attempt_ended", **_key(run), kind=kind, why=evidence["error"])
        spent = run.faults.count(kind)
        if spent < faults.ATTEMPTS[kind]:
            self._retry(job)
        elif kind == faults.OUT_OF_MEMORY:
            self.ended(job, "out_of_memory", {**evidence, "reproducible": True, "times": spent})
        else:
            self.ended(job, "retries_spent", {"attempts": run.attempt, "last": evidence["error"]})

    def lost(self, job: Job, why: str) -> None:
        """A worker is gone. One that ended itself, because its run did not come to an end, would do so again."""
        file = hung_file(job)
        if (said := hung(file)) is None:
            self.faulted(job, *faults.lost(why))
            return
        with contextlib.suppress(OSError):
            Path(job.folder).mkdir(parents=True, exist_ok=True)
            file.replace(Path(job.folder) / "traceback.txt")
        if self.stopping:
            self._live.pop((job.trial, job.seed), None)
        else:
            self.ended(job, "crashed", {"error": f"the run {said}", "traceback": "traceback.txt"})

    def _end_of(self, run: Run) -> tuple[str, dict[str, Any]] | None:
        budget = self.state.configuration(run.trial).spec["budget"]["images"]
        return end_by_itself(self._file.sweep.health, run, budget, context(self.state)) or self._compared(run)

    def _run(self, job: Job) -> Run:
        run = self.state.run(job.trial, job.seed)
        assert run is not None  # its attempt is in the record
        return run


def end_by_itself(
    health: Mapping[str, RuleSpec], run: Run, budget: int, compared_by: Context
) -> tuple[str, dict[str, Any]] | None:
    """End reason and evidence of a run at its last evaluation, by nothing but itself; None: it goes on. Health first:
    one that went wrong at its last evaluation is not taken for a completed one."""
    # where the training stopped at a value that is not finite there is nothing to go on with, rule or no rule
    rules = health if run.measurements[-1].metrics else {**health, **_NON_FINITE}
    end = end_of(rules, run.measurements, budget, compared_by)
    if end is not None:
        return end.reason, end.evidence
    return ("completed", {"images": run.images}) if run.images >= budget else None


def _key(run: Run) -> dict[str, int]:
    return {"trial": run.trial, "seed": run.seed, "attempt": run.attempt}


def context(state: SweepState) -> Context:
    """What the health rules need to know of the sweep besides a run's measurements."""
    return Context(state.metric, state.known.minimise, state.floor, state.floor_spread)


def hung_file(job: Job) -> Path:
    """Where a worker leaves what it was in when it did not come to an end: not among what a run keeps."""
    scratch = sweep_folder(Path(job.folder)) / SCRATCH
    return scratch / f"hung-{job.trial}-{job.seed}-{job.attempt}.txt"
