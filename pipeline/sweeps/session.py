"""A driver at work: everything around it, from the lock to Ray and the tracker, until it is exhausted."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline import plugin
from pipeline.data.said import what_was_read
from pipeline.drivers.driver import Runner
from pipeline.errors import GansweepError, Superseded, Unreachable, within
from pipeline.faults import CLUSTER_LOST, DISK_FULL, SUPERSEDED, is_disk_full, needed
from pipeline.record import lock
from pipeline.record.home import EVENTS, LOG, STOP, begun, command
from pipeline.record.log import Line, Record
from pipeline.record.state import SweepState
from pipeline.schema.datasets import check_path
from pipeline.schema.metrics import check_objective, own_metrics
from pipeline.space.check import check_data, to_build
from pipeline.sweeps.start import begin, start_notices

if TYPE_CHECKING:
    from pipeline.sweeps.sweep import Sweep

CLOSING = 10.0  # seconds of a time budget that are kept for the end: workers (Tune waits so long), tracker, Ray
ASKED = ("interrupted", "stopped")  # what a driver stops for because someone wants it to
FAILURES = (DISK_FULL, CLUSTER_LOST, SUPERSEDED)  # ... and because it cannot go on
EARLY = (*ASKED, *FAILURES)


class Watcher(Protocol):
    """Who is shown what happens (console.Progress): a driver while it is at work, with its tracker's backlog."""

    def __call__(self, driver: Runner, backlog: Callable[[], int]) -> AbstractContextManager[Any]: ...

    def say(self, text: str) -> None: ...


def drive(
    sweep: Sweep,
    doing: str,
    make: Callable[[Record, list[Line], int], Runner],
    watch: Watcher | None,
    max_time: float | None,
    verb: str,
    accept_changes: bool = False,
) -> SweepState:
    """Runs the driver that `make` makes of the record, its lines and the number of slots. doing: "search" or "pick".
    verb: what goes on with it.

    Raises what Sweep.run() does; KeyboardInterrupt where it was stopped because someone wants it to, GansweepError
    with what is needed where the disk is full or Ray is gone.
    """
    from pipeline import cluster
    from pipeline.tracking.mlflow.credentials import hidden
    from pipeline.tracking.process import TrackerProcess

    began = time.monotonic()
    launch, again = sweep.launch, command(verb, sweep.folder)
    stop: list[Callable[[], None]] = []
    with ExitStack() as stack:
        held = lock.Lock(sweep.folder, lambda: stop[0]() if stop else None, watch.say if watch else lambda text: None)
        stack.enter_context(_holding(sweep, held, again))
        _check_tracker(sweep)
        closing = ExitStack()  # what is to be closed by whoever comes to it first

        def abandon() -> None:
            """Ray is gone, and the main thread in a call to it."""
            closing.close()
            held.release()
            if watch:
                watch.say(f"gansweep: {_went_wrong(sweep, held, CLUSTER_LOST, again)}")

        with hidden():
            ray = stack.enter_context(cluster.connected(launch.address, launch.gpus_per_trial, abandon))
        code = plugin.sources(sweep.file.tree)  # as it is now, wherever the workers are and whatever becomes of it
        prepared = _prepared(sweep, code) | {"code": plugin.fingerprints(code)}
        if watch and (read := what_was_read(prepared["data"])):
            watch.say("\n".join(read))
        record = Record(sweep.folder / EVENTS, guard=held.fence.check)
        stack.callback(record.close)
        search = sweep.file.sweep.search
        slots = launch.concurrency or search.concurrency or cluster.slots(launch.gpus_per_trial)
        remembered = replace(launch, trials=launch.trials or search.trials)
        lines = begin(sweep, doing, record, held, prepared, remembered, slots, accept_changes)
        driver = make(record, lines, slots)
        driver.notices += start_notices(record, lines, held)
        until = began + max_time - min(CLOSING, 0.1 * max_time) if max_time else None
        stop.append(_stopper(sweep, driver, held, until))
        tracker = TrackerProcess(sweep.folder, sweep.tracking_uri, held.session)
        tracker.start()
        stack.enter_context(cluster.interruptible(driver))
        ended = "interrupted"

        @closing.callback
        def end() -> None:
            # a full disk, another driver's sweep by now: without this line too it is known to be interrupted
            with suppress(OSError, Superseded):
                record.append("driver", doing=doing, session=held.session, state=ended, why=driver.stopping)
            tracker.close(timeout=5.0 if driver.stopping or tracker.error else 60.0)

        ray.driver = driver
        try:
            if watch:
                closing.enter_context(watch(driver, tracker.backlog))
            cluster.run(driver, sweep.folder, sweep.cache.absolute(), _root(sweep), launch.gpus_per_trial, code)
            ended = "interrupted" if driver.stopping in EARLY else "finished"
        except BaseException as error:
            if not held.fence.holds():
                driver.stopping = SUPERSEDED
            ended = "interrupted" if driver.stopping in EARLY else "failed"  # a second Ctrl-C is no failure
            if is_disk_full(error):
                driver.stopping, ended = driver.stopping or DISK_FULL, "interrupted"
            elif driver.stopping not in FAILURES:
                raise
        finally:
            closing.close()
    if driver.stopping in ASKED:
        raise KeyboardInterrupt
    if driver.stopping in FAILURES:
        raise GansweepError(_went_wrong(sweep, held, driver.stopping, again))
    return driver.state


def _root(sweep: Sweep) -> Path | None:
    return Path(sweep.launch.data_root) if sweep.launch.data_root else None


def _prepared(sweep: Sweep, code: dict[str, str]) -> dict[str, Any]:
    """Data, features and floor, made in a worker; InputError where the sweep's file does not fit them."""
    from pipeline import cluster

    file, data = sweep.file, sweep.data
    specs = to_build(file.space)  # what a worker builds once before the first trial
    for source in {spec.init_from for spec in specs if spec.init_from}:
        source.check()
    builds = [spec.model_dump(mode="json") for spec in specs]
    order = data.model_dump(mode="json"), sweep.evaluation.samples, sweep.cache.absolute(), _root(sweep), builds, code
    with within(file.source):
        prepared = cluster.prepare(*order)
    found, own = prepared["data"], own_metrics(file.tree)
    for name in dict.fromkeys((file.sweep.objective, *(each.metric for each in file.sweep.objectives))):
        check_objective(name, data.name, found["kind"], found["mixture"], file.source, own)
    check_data(file.space, found["kind"], found["resolution"], found["classes"])
    return prepared


def _went_wrong(sweep: Sweep, held: lock.Lock, what: str, again: str) -> str:
    if what == SUPERSEDED:
        return held.fence.said()
    if what == DISK_FULL:
        state = sweep.state if begun(sweep.folder) else SweepState()
        unfinished = sum(run.end_reason is None for run in (*state.runs, *state.confirmations, *state.perturbed))
        return f"{needed(sweep.folder, max(1, unfinished))}; then go on with: {again}"
    return f"the Ray cluster is gone; go on with: {again}"


def _check_tracker(sweep: Sweep) -> None:
    """A new sweep wants a tracker that is there; one that goes on has all in its record, and sends it later."""
    from pipeline.tracking.tracker import check

    try:
        check(sweep.tracking_uri)
    except Unreachable:
        if not begun(sweep.folder):
            raise


def _stopper(sweep: Sweep, driver: Runner, held: lock.Lock, until: float | None) -> Callable[[], None]:
    """What each heartbeat looks at: the lock, the stop file of another terminal, the time (by time.monotonic()), and
    what was spent."""
    path = sweep.folder / STOP
    path.unlink(missing_ok=True)
    before, hours = driver.state.spent(), sweep.launch.gpu_hours

    def look() -> None:
        if held.lost:
            driver.stopping = SUPERSEDED
        if path.exists():
            path.unlink(missing_ok=True)
            driver.stopping = driver.stopping or "stopped"
        if until and time.monotonic() > until:
            driver.stopping = driver.stopping or "max_time"
        if hours and driver.state.spent(time.time()) - before > 3600 * hours:
            driver.stopping = driver.stopping or "gpu_hours"

    return look


@contextmanager
def _holding(sweep: Sweep, held: lock.Lock, again: str) -> Iterator[None]:
    """The sweep's folder, with its lock. Nothing is left behind where the sweep was refused before its first line (a
    failure's log stays), as long as the lock is held: what is there without it is another driver's. A full disk is
    one line, wherever it was met."""
    folder = sweep.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise Unreachable(f"{folder}: cannot be written ({error.strerror}); choose another --home") from None
    try:
        held.acquire()
        try:
            sweep.check_new()
            check_path(sweep.data.name)
            yield
        except (GansweepError, KeyboardInterrupt):
            if not begun(folder) and held.fence.holds():
                _clean(folder)
            raise
        finally:
            held.release()
    except OSError as error:
        if is_disk_full(error):
            raise GansweepError(_went_wrong(sweep, held, DISK_FULL, again)) from None
        raise


def _clean(folder: Path) -> None:
    """Takes away what this driver made of a sweep that was not begun; its lock last."""
    for name in (LOG, EVENTS, STOP, lock.GUARD, lock.NAME):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):  # there is something else in it
        folder.rmdir()
