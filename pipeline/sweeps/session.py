"""A driver at work: everything around it, from the lock to Ray and the tracker, until it is exhausted."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from pipeline import cluster, plugin
from pipeline.cluster.preflight import Wanted
from pipeline.cluster.premises import Premises
from pipeline.data.said import what_was_read
from pipeline.drivers.driver import Assignment, Driver
from pipeline.drivers.nodes import Nodes
from pipeline.drivers.share import Share
from pipeline.environment import address
from pipeline.errors import GansweepError, StorageLost, Superseded, Unreachable, within
from pipeline.faults import CLUSTER_LOST, DISK_FULL, NO_NODES, STORAGE_LOST, SUPERSEDED, is_disk_full, needed
from pipeline.record import lock
from pipeline.record.follower import Follower
from pipeline.record.home import EVENTS, STOP, begun, command
from pipeline.record.log import read
from pipeline.record.state import SweepState
from pipeline.schema.datasets import check_path, files
from pipeline.schema.metrics import on, own_metrics
from pipeline.space.check import check_data, to_build
from pipeline.sweeps.setup import Setup
from pipeline.sweeps.start import Start, notices, recorded
from pipeline.sweeps.stored import Stored, lost_in, stored
from pipeline.tracking.mlflow.credentials import hidden
from pipeline.tracking.process import TrackerProcess
from pipeline.tracking.tracker import check as check_tracker

CLOSING = 10.0  # seconds of a time budget that are kept for the end: workers (Tune waits so long), tracker, Ray
ASKED = ("interrupted", "stopped")  # what a driver stops for because someone wants it to
FAILURES = (DISK_FULL, CLUSTER_LOST, STORAGE_LOST, SUPERSEDED, NO_NODES)  # ... and because it cannot go on
EARLY = (*ASKED, *FAILURES)


class Watcher(Protocol):
    """Who is shown what happens (cli/terminal.LiveView): a sweep while its driver is at work, in a thread of the
    watcher's own, with its tracker's backlog."""

    def __call__(self, sweep: Follower, backlog: Callable[[], int]) -> AbstractContextManager[Any]: ...

    def say(self, text: str) -> None: ...


@dataclass(frozen=True)
class Errand:
    """What a session is for."""

    doing: str  # "search" or "pick"
    again: str  # the verb that goes on with it
    max_time: float | None  # seconds
    accept_changes: bool = False  # of data and the user's own code


class Session:
    """One driver's time at a sweep: opened() gives what a driver is made of, drive() runs it.

    Three threads: the caller's, to which driver, record and tracker belong; the heartbeat's, which asks the driver to
    stop; and the watcher's. Each of the other two reads the sweep from a Follower of its own.
    """

    def __init__(self, setup: Setup, errand: Errand, watch: Watcher | None) -> None:
        self._setup, self._errand, self._watch = setup, errand, watch
        self._again = command(errand.again, setup.folder)
        self._held = lock.Lock(setup.folder, self._each_beat, self._say)
        self._closing = ExitStack()  # what is to be closed by whoever comes to it first
        self._driver: Driver | None = None
        self._stored: Stored | None = None
        self._ended, self._lost = "interrupted", ""
        began, longest = time.monotonic(), errand.max_time
        self._until = began + longest - min(CLOSING, 0.1 * longest) if longest else None
        self._spent_before = 0.0

    @contextmanager
    def opened(self) -> Iterator[Assignment]:
        """From the lock to the record; all of it is put away again at the end of the block.

        Raises InputError, also where another driver is at it, and Unreachable before the first trial starts where
        tracker, storage or cluster are not there.
        """
        setup, launch = self._setup, self._setup.launch
        with ExitStack() as stack:
            self._check_tracker()  # before the lock: one that is refused for it stands in nobody's way
            stack.enter_context(self.claimed())
            if which := cluster.chosen(launch.address):
                self._say(f"note: {which}")
            with hidden():
                self._ray = stack.enter_context(cluster.connected(launch.address, self._abandon))
            code = plugin.sources(setup.file.tree)  # as it is now, wherever the workers are and whatever becomes of it
            data = tuple(files(setup.data.name, setup.data_root))
            self._share = Share(launch.cpus_per_trial, launch.gpus_per_trial, launch.memory_per_trial)
            own = setup.cache.absolute(), setup.data_root, code, data
            self._premises = Premises(*own, self._share.threads, setup.stored)
            wanted = Wanted(setup.folder.absolute(), data, self._share, setup.stored)
            in_cluster = address(launch.address).cluster is not None
            self._gathering = stack.enter_context(cluster.gathered(wanted, cluster=in_cluster))
            prepared = self._prepared() | {"code": plugin.fingerprints(code)}
            if said := what_was_read(prepared["data"]):
                self._say("\n".join([*said, f"features: {prepared['features']}"]))
            nodes = Nodes(self._gathering.nodes, launch.concurrency or setup.file.sweep.search.concurrency)
            errand = self._errand
            start = Start(errand.doing, self._held, prepared, nodes.slots, errand.accept_changes, self._stored)
            self._record, lines = recorded(setup, start)
            stack.callback(self._record.close)
            for text in notices(self._record, lines):
                self._say(f"note: {text}")
            # one a thread that wants it, before the driver writes its first line
            if self._watch:
                self._watched = Follower(self._record, lines, setup.folder)
            if launch.gpu_hours:
                self._spending = Follower(self._record, lines, setup.folder)
                self._spent_before = self._spending.state().spent()
            kept = self._stored
            also: dict[str, Any] = {"check": partial(kept.claim.check, fresh=True), "fetch": kept.fetch} if kept else {}
            yield Assignment(setup.folder.absolute(), self._record, lines, setup.file, nodes, **also)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """For the time of the block the sweep is this session's, here and in its storage where it has one."""
        with ExitStack() as stack:
            stack.enter_context(self._holding())
            if self._setup.stored:
                self._stored = stack.enter_context(stored(self._setup, self._held.session, self._say))
            yield

    def put(self, name: str) -> None:
        """Has a file of the sweep's folder in its storage too, while the sweep is this session's."""
        if self._stored:
            self._stored.put(name)

    def drive(self, driver: Driver) -> SweepState:
        """Runs the driver until it is exhausted.

        Raises KeyboardInterrupt where it was stopped because someone wants it to, and GansweepError with what is
        needed where the disk is full, Ray is gone or another driver has the sweep.
        """
        setup = self._setup
        (setup.folder / STOP).unlink(missing_ok=True)
        self._driver = self._ray.driver = driver
        self._tracker = TrackerProcess(setup.folder, setup.tracking_uri, self._held.session)
        self._tracker.start()
        self._closing.callback(self._end)
        with cluster.interruptible(driver):
            try:
                if self._watch:
                    self._closing.enter_context(self._watch(self._watched, self._tracker.backlog))
                cluster.run(driver, setup.folder, self._premises, self._gathering, self._share)
                self._ended = "interrupted" if driver.stopping in EARLY else "finished"
            except BaseException as error:
                self._failed(driver, error)
            finally:
                self._closing.close()
        if driver.stopping in ASKED:
            raise KeyboardInterrupt
        if driver.stopping == NO_NODES:
            raise Unreachable(f"{driver.state.without_nodes()}; see to it, then go on with: {self._again}")
        if driver.stopping == STORAGE_LOST:
            raise StorageLost(f"{self._lost}; go on with: {self._again}")
        if driver.stopping in FAILURES:
            raise GansweepError(self._went_wrong(driver.stopping))
        return driver.state

    def _failed(self, driver: Driver, error: BaseException) -> None:
        """Why the driver's loop came to no end of its own; raises what is an error of ours."""
        if not self._held.fence.holds() or (self._stored and self._stored.superseded):
            driver.stopping = SUPERSEDED
        self._ended = "interrupted" if driver.stopping in EARLY else "failed"  # a second Ctrl-C is no failure
        if is_disk_full(error):
            driver.stopping, self._ended = driver.stopping or DISK_FULL, "interrupted"
        elif lost := lost_in(error):
            driver.stopping, self._ended, self._lost = STORAGE_LOST, "interrupted", lost
        elif driver.stopping not in FAILURES:
            raise error

    def _end(self) -> None:
        """The driver's last line, and the tracker's last chance."""
        assert self._driver is not None
        stopping = self._driver.stopping
        # a full disk, another driver's sweep by now: without this line too it is known to be interrupted
        with suppress(OSError, Superseded, StorageLost):
            about = {"doing": self._errand.doing, "session": self._held.session}
            self._record.append("driver", **about, state=self._ended, why=stopping)
        self._tracker.close(timeout=5.0 if stopping or self._tracker.error else 60.0)

    def _abandon(self) -> None:
        """Ray is gone, and the main thread in a call to it."""
        self._closing.close()
        self._held.release()
        self._say(f"gansweep: {self._went_wrong(CLUSTER_LOST)}")

    def _each_beat(self) -> None:
        """What the heartbeat looks at: the lock, the stop file of another terminal, the time, and what was spent."""
        driver, hours = self._driver, self._setup.launch.gpu_hours
        if driver is None:
            return
        if self._held.lost or (self._stored and self._stored.superseded):
            driver.stopping = SUPERSEDED
        stop = self._setup.folder / STOP
        if stop.exists():
            stop.unlink(missing_ok=True)
            driver.stopping = driver.stopping or "stopped"
        if self._until and time.monotonic() > self._until:
            driver.stopping = driver.stopping or "max_time"
        if hours and self._spending.state().spent(time.time()) - self._spent_before > 3600 * hours:
            driver.stopping = driver.stopping or "gpu_hours"

    def _prepared(self) -> dict[str, Any]:
        """Data, features and floor, made in a worker; InputError where the sweep's file does not fit them."""
        file, data = self._setup.file, self._setup.data
        specs = to_build(file.space)  # what a worker builds once before the first trial
        for source in {spec.init_from for spec in specs if spec.init_from}:
            source.check()
        with within(file.source):
            prepared = cluster.prepare(data, self._setup.evaluation, specs, self._premises, self._gathering)
        about, own = prepared["data"], own_metrics(file.tree)
        for name in dict.fromkeys((file.sweep.objective, *(each.metric for each in file.sweep.objectives))):
            on(data.name, about).check(name, file.source, own)
        check_data(file.space, about["kind"], about["resolution"], about["classes"])
        return prepared

    def _went_wrong(self, what: str) -> str:
        folder = self._setup.folder
        if what == SUPERSEDED and self._stored and self._stored.superseded:
            see = f"{command('status', folder)} --storage {self._setup.launch.storage}"
            return f"{folder.name}: {self._stored.said()}; see: {see}"
        if what == SUPERSEDED:
            return self._held.fence.said()
        if what == DISK_FULL:
            state = SweepState.fold(read(folder / EVENTS)[0] if begun(folder) else [])
            unfinished = sum(run.end_reason is None for run in (*state.runs, *state.confirmations, *state.perturbed))
            return f"{needed(folder, max(1, unfinished))}; then go on with: {self._again}"
        return f"the Ray cluster is gone; go on with: {self._again}"

    def _check_tracker(self) -> None:
        """A new sweep wants a tracker that is there; one that goes on has all in its record, and sends it later."""
        try:
            check_tracker(self._setup.tracking_uri)
        except Unreachable:
            if not begun(self._setup.folder):
                raise

    @contextmanager
    def _holding(self) -> Iterator[None]:
        """The sweep's folder, with its lock. Nothing is left behind where the sweep was refused before its first line
        (a failure's log stays), as long as the lock is held: what is there without it is another driver's. A full disk
        is one line, wherever it was met."""
        folder = self._setup.folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise Unreachable(f"{folder}: cannot be written ({error.strerror}); choose another --home") from None
        try:
            self._held.acquire()
            try:
                self._setup.check_new()
                check_path(self._setup.data.name)
                yield
            except (GansweepError, KeyboardInterrupt):
                if not begun(folder) and self._held.fence.holds():
                    self._clean()
                raise
            finally:
                self._held.release()
        except OSError as error:
            if is_disk_full(error):
                raise GansweepError(self._went_wrong(DISK_FULL)) from None
            raise

    def _clean(self) -> None:
        """Takes away what this driver made of a sweep that was not begun; its lock last. The log is another's too where
        two were started together, so whoever opened it removes it (cli/terminal.py)."""
        for name in (EVENTS, STOP, lock.GUARD, lock.NAME):
            (self._setup.folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # there is something else in it
            self._setup.folder.rmdir()

    def _say(self, text: str) -> None:
        if self._watch:
            self._watch.say(text)
