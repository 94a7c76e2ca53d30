"""What every driver of runs does: hand them out, and record what they do before anyone acts on it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import faults
from pipeline.deadline import hung
from pipeline.health.rules import Context, end_of, warnings_of
from pipeline.record.events import DriverSaid, Line, every
from pipeline.record.home import run_folder, sweep_folder
from pipeline.record.lock import Fence
from pipeline.record.log import Record
from pipeline.record.measurement import Measurement
from pipeline.record.runs import Run
from pipeline.record.state import SweepState
from pipeline.schema.health import DEFAULT_RULES, RuleSpec
from pipeline.space.load import SweepFile
from pipeline.space.places import placed

SCRATCH = "ray"  # in a sweep's folder while its driver is at work
_NON_FINITE = {"non_finite": RuleSpec(**DEFAULT_RULES["non_finite"])}


@dataclass(frozen=True)
class Attempt:
    """One attempt at a run, as a worker gets it."""

    trial: int
    seed: int
    spec: dict[str, Any]  # resolved
    objective: str  # by which its best checkpoint is kept
    folder: str  # for checkpoints and samples
    # The number of the seed, of a run that confirms a finalist (see picking/): its last evaluations are then made on
    # the test part too.
    replicate: int | None = None
    attempt: int = 1
    session: str = ""  # of the driver that handed it out: who must hold the sweep for it to write; "": nobody else can

    def check(self) -> None:
        """Raises Superseded where the attempt may write no more."""
        if self.session:
            Fence(sweep_folder(Path(self.folder)), self.session).check()


@dataclass(frozen=True)
class Job:
    """What a worker is handed: runs that it trains in turns, an evaluation each. It is over with the last of them."""

    runs: tuple[Attempt, ...]

    def as_json(self) -> str:
        return json.dumps([dataclasses.asdict(run) for run in self.runs])

    @classmethod
    def from_json(cls, text: str) -> Job:
        return cls(tuple(Attempt(**run) for run in json.loads(text)))


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
        self._live: dict[tuple[int, int], Attempt] = {}
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
    def _after(self, attempt: Attempt, run: Run) -> None:
        """What follows from a run's end, which is recorded."""

    def _compared(self, run: Run) -> tuple[str, dict[str, Any]] | None:
        """End reason and evidence for a healthy run below its budget that is not to go on; None: it goes on."""
        return None

    def over(self, job: Job) -> bool:
        """Whether nothing of it is to go on."""
        live = {(run.trial, run.seed, run.attempt) for run in self._live.values()}
        return all((run.trial, run.seed, run.attempt) not in live for run in job.runs)

    def _job(self, number: int, seed: int, replicate: int | None = None) -> Job:
        """The next attempt at a run, by itself, which is live from now on."""
        attempt = self._attempt(number, seed, replicate)
        self._live[number, seed] = attempt
        return Job((attempt,))

    def _attempt(self, number: int, seed: int, replicate: int | None = None) -> Attempt:
        run = self.state.run(number, seed)
        return Attempt(
            number,
            seed,
            placed(self.state.configuration(number).spec, self._moved),
            self._file.sweep.objective,
            str(run_folder(self._folder, number, seed)),
            replicate,
            run.attempt + 1 if run else 1,
            self._session,
        )

    def _retry(self, attempt: Attempt) -> None:
        """Has next_job() hand out a run again whose attempt was lost; nothing to do where it looks at the state."""
        return

    def started(self, attempt: Attempt) -> None:
        """An attempt at the run begins."""
        confirms = {} if attempt.replicate is None else {"replicate": attempt.replicate}
        self._record.append("attempt", trial=attempt.trial, seed=attempt.seed, attempt=attempt.attempt, **confirms)

    def measured(self, attempt: Attempt, measurement: Measurement) -> bool:
        """Records a measurement and returns whether the run goes on."""
        run = self._run(attempt)
        for text in measurement.notices:
            self._record.append("notice", **_key(run), text=text)
        if measurement.images > run.images:
            found = {name: value for name, value in measurement.as_dict().items() if name != "notices"}
            self._record.append("measurement", **_key(run), **found)
            self._warn(run)
        end = self._end_of(run)
        if end is None:
            return True
        self.ended(attempt, *end)
        return False

    def ended(self, attempt: Attempt, reason: str, evidence: dict[str, Any]) -> None:
        """Records the run's end, and does what follows from it."""
        run = self._run(attempt)
        self._record.append("run_ended", **_key(run), reason=reason, evidence=evidence)
        self._live.pop((attempt.trial, attempt.seed), None)
        self._after(attempt, run)

    def faulted(self, attempt: Attempt, kind: str, evidence: dict[str, Any]) -> None:
        """The attempt ended through no fault of the run, as far as is known: it is tried again, from its checkpoint,
        until its attempts are spent. A full disk stops the sweep, and so does another driver that has taken it over;
        while it is stopping nothing is counted."""
        run = self._run(attempt)
        self._live.pop((attempt.trial, attempt.seed), None)
        if kind in (faults.DISK_FULL, faults.SUPERSEDED):
            self.stopping = self.stopping or kind
        if self.stopping:
            return
        self._record.append("attempt_ended", **_key(run), kind=kind, why=evidence["error"])
        spent = run.faults.count(kind)
        if spent < faults.ATTEMPTS[kind]:
            self._retry(attempt)
        elif kind == faults.OUT_OF_MEMORY:
            self.ended(attempt, "out_of_memory", {**evidence, "reproducible": True, "times": spent})
        else:
            self.ended(attempt, "retries_spent", {"attempts": run.attempt, "last": evidence["error"]})

    def lost(self, attempt: Attempt, why: str) -> None:
        """A worker is gone. One that ended itself, because its run did not come to an end, would do so again."""
        file = hung_file(attempt)
        if (said := hung(file)) is None:
            self.faulted(attempt, *faults.lost(why))
            return
        with contextlib.suppress(OSError):
            Path(attempt.folder).mkdir(parents=True, exist_ok=True)
            file.replace(Path(attempt.folder) / "traceback.txt")
        if self.stopping:
            self._live.pop((attempt.trial, attempt.seed), None)
        else:
            self.ended(attempt, "crashed", {"error": f"the run {said}", "traceback": "traceback.txt"})

    def _warn(self, run: Run) -> None:
        """What the rules that warn say of a measurement that is new."""
        for text in warned(self._file.sweep.health, run, self._budget(run), context(self.state)):
            self._record.append("notice", **_key(run), text=text)

    def _budget(self, run: Run) -> int:
        images: int = self.state.configuration(run.trial).spec["budget"]["images"]
        return images

    def _end_of(self, run: Run) -> tuple[str, dict[str, Any]] | None:
        rules, compared_by = self._file.sweep.health, context(self.state)
        end = end_by_itself(rules, run, self._budget(run), compared_by) or self._compared(run)
        if end is None or run.images >= self._budget(run) or not self._audits(run, end[0]):
            return end
        if run.audited is None:
            reason, evidence = end
            self._record.append("audited", **_key(run), images=run.images, reason=reason, evidence=evidence)
        return None

    def _audits(self, run: Run, reason: str) -> bool:
        """Whether a run that is to be stopped goes on, to see whether that would have been right."""
        return False

    def _run(self, attempt: Attempt) -> Run:
        run = self.state.run(attempt.trial, attempt.seed)
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


def warned(health: Mapping[str, RuleSpec], run: Run, budget: int, compared_by: Context) -> list[str]:
    """What the rules that warn say of a run's last evaluation, a line each."""
    found = warnings_of(health, run.measurements, budget, compared_by)
    return [
        f"{name} at {run.images:,} images: {end.evidence['signal']} {end.evidence['values'][-1]['value']:.3g} "
        f"{end.evidence['comparison']} {end.evidence['threshold']:g}; the run goes on"
        for name, end in found.items()
    ]


def _key(run: Run) -> dict[str, int]:
    return {"trial": run.trial, "seed": run.seed, "attempt": run.attempt}


def context(state: SweepState) -> Context:
    """What the health rules need to know of the sweep besides a run's measurements."""
    return Context(state.metric, state.known.minimise, state.floor, state.floor_spread)


def hung_file(attempt: Attempt) -> Path:
    """Where a worker leaves what it was in when it did not come to an end: not among what a run keeps."""
    scratch = sweep_folder(Path(attempt.folder)) / SCRATCH
    return scratch / f"hung-{attempt.trial}-{attempt.seed}-{attempt.attempt}.txt"
