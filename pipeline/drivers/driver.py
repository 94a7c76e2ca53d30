"""What every driver of runs does: hand them out, and record what they do before anyone acts on it."""

from __future__ import annotations

import contextlib
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import faults
from pipeline.deadline import hung
from pipeline.drivers.ends import context, end_by_itself, warned
from pipeline.drivers.job import Attempt, Job, hung_file, printed
from pipeline.drivers.nodes import LEFT_OUT, Change, Node, Nodes
from pipeline.drivers.waiting import Waiting
from pipeline.errors import Superseded
from pipeline.record.events import DriverSaid, Line, every
from pipeline.record.home import run_folder
from pipeline.record.log import Record
from pipeline.record.measurement import Measurement
from pipeline.record.runs import Run
from pipeline.record.state import SweepState
from pipeline.space.load import SweepFile
from pipeline.space.places import placed


@dataclass(frozen=True)
class Assignment:
    """What a session (sweeps/session.py) hands to its driver."""

    folder: Path  # the sweep's, absolute
    record: Record  # open for writing
    lines: list[Line]  # what it holds
    file: SweepFile
    nodes: Nodes  # that runs can be on
    check: Callable[[], None] = lambda: None  # raises Superseded where the sweep is another driver's, looked at anew
    fetch: Callable[[Path], None] = lambda path: None  # has a file of the folder there that a worker left elsewhere


class Driver(ABC):
    """Abstract. Made anew at each start from the record alone; Ray's hooks (cluster/) call its methods, one at a
    time. A subclass says which run is next and what becomes of one that is well.

    All of it belongs to the thread that Ray's hooks run in. Another thread may set `stopping`, and reads the sweep
    from a Follower of its own (record/state.py), never from `state`.
    """

    def __init__(self, given: Assignment) -> None:
        self.state = SweepState.fold(given.lines, given.folder)
        self.stopping: str | None = None
        self._folder, self._record, self._file = given.folder, given.record, given.file
        self.nodes, self._waiting_for = given.nodes, Waiting()
        self._check, self._fetch = given.check, given.fetch
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

    @property
    @abstractmethod
    def _further(self) -> int:
        """How many runs there are to hand out, besides those under way."""

    def backlog(self) -> int:
        """Runs that wait for a further node, as many as it makes sense to ask for at a time."""
        return 0 if self.stopping or self._place() else self.nodes.more(self._further)

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

    def _place(self, avoided: Collection[str] = ()) -> Node | None:
        """Where a further run goes; None: nowhere now."""
        return self.nodes.place([live.node for live in self._live.values()], avoided)

    def _job(self, number: int, seed: int, replicate: int | None = None) -> Job | None:
        """The next attempt at a run, by itself, which is live from now on; None where no node is free for it."""
        run = self.state.run(number, seed)
        node = self._place(run.avoided if run else ())
        if node is None:
            return None
        attempt = dataclasses.replace(self._attempt(number, seed, replicate), node=node.id, host=node.host)
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
            recorded=run.images if run else 0,
            features=self.state.features,
        )

    def _retry(self, attempt: Attempt) -> None:
        """Has next_job() hand out a run again whose attempt was lost; nothing to do where it looks at the state."""
        return

    def started(self, attempt: Attempt) -> None:
        """An attempt at the run begins."""
        also = {"replicate": attempt.replicate, "host": attempt.host or None, "node": attempt.node or None}
        known = {name: value for name, value in also.items() if value is not None}
        self._record.append("attempt", trial=attempt.trial, seed=attempt.seed, attempt=attempt.attempt, **known)

    def begun(self, runs: Sequence[Attempt]) -> None:
        """A worker has them."""
        self._waiting_for.began([(run.trial, run.seed) for run in runs])

    def overdue(self, runs: Sequence[Attempt]) -> str | None:
        """That the worker that has them is to be given up, and why, in words: it is frozen, as one that was stopped or
        swapped out, or its machine is, and says nothing itself."""
        silent = self._waiting_for.overdue([(run.trial, run.seed) for run in runs])
        return None if silent is None else f"no word from the worker on {runs[0].host} for {silent:.0f} s"

    def heard(self, change: Change) -> None:
        """A node has joined, has left, or is left out."""
        self.nodes.heard(change)
        said = {"node": change.node.id, "host": change.node.host, "state": change.state, "slots": self.nodes.slots}
        self._record.append("node", **said, **({"why": change.why} if change.why else {}))
        if change.state == LEFT_OUT and not self.nodes:
            self.stopping = self.stopping or faults.NO_NODES

    def measured(self, attempt: Attempt, measurement: Measurement) -> bool:
        """Records a measurement and returns whether the run goes on."""
        run = self._run(attempt)
        if measurement.images > run.images and (wrong := self._other_features(measurement)):
            self.faulted(attempt, faults.NODE, {"error": f"{attempt.host}: {wrong}"})
            return False
        self.nodes.worked(attempt.node)
        self._waiting_for.heard((attempt.trial, attempt.seed))
        for text in measurement.notices:
            self._record.append("notice", **_key(run), text=text)
        if measurement.images > run.images:
            values = {name: value for name, value in measurement.as_dict().items() if name != "notices"}
            self._record.append("measurement", **_key(run), **values)
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
        self._let_go(attempt)
        self._after(attempt, run)

    def faulted(self, attempt: Attempt, kind: str, evidence: dict[str, Any]) -> None:
        """The attempt ended through no fault of the run, as far as is known: it is tried again, from its checkpoint,
        until its attempts are spent. A full disk stops the sweep, and so does another driver that has taken it over;
        while it is stopping nothing is counted."""
        run = self._run(attempt)
        self._let_go(attempt)
        if kind == faults.SUPERSEDED and attempt.session and self._holds(attempt):
            kind, evidence = faults.NODE, {"error": f"{attempt.host} does not see the sweep's lock, which is held"}
        if kind in (faults.DISK_FULL, faults.SUPERSEDED):
            self.stopping = self.stopping or kind
        if self.stopping:
            return
        self._record.append("attempt_ended", **_key(run), kind=kind, why=evidence["error"])
        self._blame(attempt, kind, evidence["error"])
        spent = run.spent(kind)
        if spent < faults.ATTEMPTS[kind]:
            self._retry(attempt)
        elif kind == faults.OUT_OF_MEMORY:
            self.ended(attempt, "out_of_memory", {**evidence, "reproducible": True, "times": spent})
        else:
            self.ended(
                attempt, "retries_spent", {"attempts": run.attempt, "last": evidence["error"], **printed(attempt)}
            )

    def lost(self, attempt: Attempt, why: str) -> None:
        """A worker is gone. One that ended itself, because its run did not come to an end, would do so again."""
        file = hung_file(attempt)
        self._fetch(file)
        if (said := hung(file)) is None:
            self.faulted(attempt, *faults.lost(why))
            return
        with contextlib.suppress(OSError):
            Path(attempt.folder).mkdir(parents=True, exist_ok=True)
            file.replace(Path(attempt.folder) / faults.TRACEBACK)
        if self.stopping:
            self._let_go(attempt)
        else:
            evidence = {"error": f"the run {said}", "traceback": faults.TRACEBACK, **printed(attempt)}
            self.ended(attempt, "crashed", evidence)

    def _let_go(self, attempt: Attempt) -> None:
        self._live.pop((attempt.trial, attempt.seed), None)
        self._waiting_for.over((attempt.trial, attempt.seed))

    def _holds(self, attempt: Attempt) -> bool:
        """Whether the sweep is this driver's, as it sees it itself."""
        try:
            attempt.check()
            self._check()
        except Superseded:
            return False
        return True

    def _other_features(self, measurement: Measurement) -> str | None:
        """What is wrong with a measurement in features that are not the sweep's, in words: the distances of two are
        not comparable, and a leaderboard has one."""
        theirs, ours = measurement.features, self.state.features
        return f"measured in {theirs}, the sweep in {ours}" if theirs and ours and theirs != ours else None

    def _blame(self, attempt: Attempt, kind: str, why: str) -> None:
        """Leaves out a node on which attempts fail at once and nothing has worked."""
        node = None
        if kind == faults.NODE:
            node = self.nodes.at_fault(attempt.node)
        elif kind == faults.LOST:
            node = self.nodes.lost(attempt.node, (attempt.trial, attempt.seed))
        if node is not None:
            self.heard(Change(node, LEFT_OUT, why))

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


def _key(run: Run) -> dict[str, int]:
    return {"trial": run.trial, "seed": run.seed, "attempt": run.attempt}
