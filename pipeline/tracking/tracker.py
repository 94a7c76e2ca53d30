"""The tracker: a reader of the record with a cursor, that brings MLflow up to date and never holds up the sweep."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from pipeline.errors import GansweepError, Unreachable, one_line
from pipeline.record import lock
from pipeline.tracking.memory import Memory, backlog
from pipeline.tracking.mlflow.client import locked
from pipeline.tracking.mlflow.credentials import redact
from pipeline.tracking.mlflow.location import check, database, default_uri
from pipeline.tracking.mlflow.server import ui
from pipeline.tracking.projector import Projector

__all__ = ["Tracker", "check", "default_uri", "run_ids", "sync", "ui"]

POLL, SLOWEST = 1.0, 30.0  # seconds between looks at the record; the longest wait after a failure
ENDING = 10.0  # seconds that the sender of a driver that is gone has to notice
LOCK = "tracking.lock"  # held by whoever sends, a driver's session or SYNC: two at once would make a run twice
SYNC = "sync"
AGAIN = 3  # times that sync() tries once more where nothing got through since the last time

log = logging.getLogger(__name__)


class Tracker:
    """Sends a sweep's record to MLflow in a daemon thread, from start() to close().

    Whatever goes wrong is retried for ever; `error` holds the last problem in one line, None once it is over.
    """

    def __init__(self, folder: Path, uri: str, session: str = "") -> None:
        """folder: the sweep's. session: of the driver that it sends for, and only as long as that one holds the sweep.
        Raises InputError for a URI that is of no known kind."""
        database(uri)
        self.folder, self.uri = folder, uri
        self.error: str | None = None
        self._session, self._began = session, time.monotonic()
        self._until: float | None = None  # monotonic; set by close()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._work, name="tracker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def backlog(self) -> int:
        """Lines of the record that are not sent yet, with their files."""
        return backlog(self.folder, self.uri)

    def close(self, timeout: float) -> int:
        """Sends what it can within `timeout` seconds; what is left stays for sync(). Returns the backlog."""
        self._until = time.monotonic() + timeout
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return self.backlog()

    def _work(self) -> None:
        wait = POLL
        while True:
            try:
                with locked(self.folder / LOCK, wait=False) as mine:
                    if not self._holds():
                        return
                    if not mine:
                        self._pass_by_a_sleeper()
                        raise GansweepError("another process is sending this sweep")
                    (self.folder / LOCK).write_text(self._session)
                    projector = Projector(self.folder, self.uri)
                    wait = POLL
                    self._follow(projector)
                    return
            except Exception as error:  # the sweep goes on, whatever MLflow does
                wait = min(2 * wait, SLOWEST)
                self.error = redact(one_line(error))
                log.warning("MLflow at %s: %s; next try in %.0f s", self.uri, self.error, wait, exc_info=error)
            if self._late():
                return
            self._rest(wait)

    def _follow(self, projector: Projector) -> None:
        """Sends whatever the record gets, until close() and there is nothing left, or no time."""
        while True:
            closing = self._until is not None  # asked first: what was written before close() is sent
            while not self._late() and self._holds() and projector.step():
                pass
            if not self._holds():
                return
            self.error = None
            if closing:
                return
            self._rest(POLL)

    def _holds(self) -> bool:
        return not self._session or lock.Fence(self.folder, self._session).holds()

    def _pass_by_a_sleeper(self) -> None:
        if self._session and time.monotonic() - self._began > ENDING:
            _pass_by(self.folder, self._session)

    def _late(self) -> bool:
        return self._until is not None and time.monotonic() >= self._until

    def _rest(self, seconds: float) -> None:
        """Until there may be something to do; shorter once close() waits."""
        if self._until is None:
            self._wake.wait(seconds)
        else:
            time.sleep(max(0.0, min(seconds, POLL, self._until - time.monotonic())))


def _pass_by(folder: Path, session: str = "") -> bool:
    """Takes the lock's name from the sender of another driver than that of `session`: it has lost the sweep, and ends
    at its next look. One that is asleep does not look, and keeps a lock that has no name any more."""
    path = folder / LOCK
    theirs = path.read_text()
    if theirs in ("", SYNC, session):
        return False
    path.unlink(missing_ok=True)
    return True


def sync(folder: Path, uri: str) -> int:
    """Sends all that MLflow lacks of a sweep whose driver is not at work; how many lines of the record that was.

    Raises Unreachable where the tracker does not take it, GansweepError while the sweep's driver sends by itself.
    """
    check(uri)
    with ExitStack() as stack:
        limit = time.monotonic() + ENDING
        while not stack.enter_context(locked(folder / LOCK, wait=False)):
            driven, late = lock.holder(folder) is not None, time.monotonic() > limit
            if driven or (late and not _pass_by(folder)):
                raise GansweepError(f"{folder.name} is running and sends to its tracker by itself; nothing to do")
            time.sleep(0.1)
        (folder / LOCK).write_text(SYNC)
        before = least = backlog(folder, uri)
        again = 0
        while True:
            try:
                projector = Projector(folder, uri)
                while projector.step():
                    pass
                projector.settle()
                return before
            except GansweepError:
                raise
            except Exception as error:  # of a busy server, say, which drops a connection
                log.warning("MLflow at %s", uri, exc_info=error)
                least, before_it = min(least, backlog(folder, uri)), least
                again = again + 1 if least == before_it else 1
                if again > AGAIN:
                    raise Unreachable(f"tracker {uri}: {redact(one_line(error))}") from error
            time.sleep(POLL * 2 ** (again - 1))


def run_ids(folder: Path) -> dict[tuple[int, int | None], str]:
    """The ids of the MLflow runs: of a trial under (number, None), of a run under (number, seed). The trial's first
    seed is in the trial's own MLflow run, and under both."""
    return Memory.read(folder).run_ids
