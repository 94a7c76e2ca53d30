"""A sweep in its storage, for its driver: claimed, with the record there and here made the same."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import InputError, StorageLost, Superseded, Unreachable
from pipeline.record import lock
from pipeline.record.claim import Claim
from pipeline.record.home import TRIALS, command
from pipeline.record.segments import FOLDER, Segments, local_lines
from pipeline.storage.mirror import Mirror, bring
from pipeline.storage.storage import Storage, opened
from pipeline.sweeps.bringing import PATIENCE, agree
from pipeline.sweeps.setup import Setup, last_storage

HEART = 5.0  # seconds of patience for the beat: the next one comes soon
LOOK = 1.0  # seconds between looks at what waits to be put
PROBE = "probe"  # what is written once, to see that it can be


class Stored:
    """segments: the record's other end. superseded: another driver has the sweep by now."""

    def __init__(self, setup: Setup, storage: Storage, claim: Claim, say: Callable[[str], None]) -> None:
        self.claim = claim
        self._setup, self._storage, self._say = setup, storage, say
        self._quick = opened(storage.url, PATIENCE)
        self.agree()

    @property
    def superseded(self) -> bool:
        return self.claim.lost or isinstance(self.segments.failed, Superseded)

    def agree(self) -> None:
        """Makes the record there and here the same. Raises Superseded where the sweep is another driver's by now, and
        InputError for the name of a new one that is taken."""
        said, done = None, False
        while not done:
            self.claim.check(fresh=True)
            with suppress(Superseded):  # one that was asleep has just added to it, which it can do but a few times
                said, done = agree(self._setup.folder, self._storage), True
        if said:
            self._say(f"note: {said}")
        self._setup.check_new()
        self.segments = Segments(self._storage, len(local_lines(self._setup.folder)), self.claim.check)

    def put(self, name: str) -> None:
        """Has a file of the sweep's folder in the storage. Raises Superseded where the sweep is another driver's."""
        self.claim.check(fresh=True)
        self._storage.put(name, (self._setup.folder / name).read_bytes())

    def fetch(self, path: Path) -> None:
        """Has a file of the sweep's folder there that is in the storage alone; where that fails, it has none."""
        with suppress(StorageLost):
            bring(self._quick, path.relative_to(self._setup.folder.absolute()).as_posix(), path)

    def said(self) -> str:
        return self.claim.said()

    @contextmanager
    def flushing(self) -> Iterator[None]:
        """For the time of the block a thread of its own puts what has waited: the storage may take long, and the
        heartbeat waits for nobody."""
        over = threading.Event()

        def flush() -> None:
            while not over.wait(LOOK):
                try:
                    self.segments.flush()
                except Exception:
                    logging.getLogger(__name__).exception("what waited was not put")  # the next line tries again

        threading.Thread(target=flush, name="segments", daemon=True).start()
        try:
            yield
        finally:
            over.set()


@contextmanager
def stored(setup: Setup, session: str, say: Callable[[str], None]) -> Iterator[Stored]:
    """For the time of the block the sweep is this driver's in the storage too.

    Raises Unreachable where the storage cannot be written, Busy where another driver is at the sweep, and InputError
    for the name of a new sweep that is taken there.
    """
    url, folder = setup.stored, setup.folder
    first = opened(url, PATIENCE)
    _probe(first, f"{PROBE}-{session}")  # one that will not do is said before anything is begun
    _check_new(setup, first)
    storage = opened(url)
    claim = Claim(opened(url, HEART), session, lambda text: say(f"{setup.name}: {text}"))
    try:
        claim.acquire()
        _check_new(setup, first)  # of two that are begun at once
        kept = Stored(setup, storage, claim, say)
        (folder / lock.ELSEWHERE).unlink(missing_ok=True)
        if not setup.token and last_storage(folder) != setup.launch.storage:
            for run in sorted((folder / TRIALS).glob("*/seed-*")):  # of a sweep that had no storage so far
                Mirror(run, storage, run.relative_to(folder).as_posix(), claim.check).push()
        with kept.flushing():
            yield kept
    finally:
        claim.release()


def _probe(storage: Storage, name: str) -> None:
    storage.put(name, b"one")
    over = storage.put_if_absent(name, b"another")
    storage.delete(name)
    if over:
        raise Unreachable(
            f"the storage {storage.url} writes over what it is to put only where there is none, so that two drivers "
            "would write one record; valid: one that knows If-None-Match"
        )


def _check_new(setup: Setup, storage: Storage) -> None:
    if setup.token and storage.names(FOLDER):
        raise InputError(
            f"the name {setup.name} is taken in {setup.launch.storage}; go on with it: "
            f"{command('resume', setup.folder)} --storage {setup.launch.storage}, or start another: --name"
        )


def lost_in(error: BaseException | None) -> str | None:
    """What is said of a storage that is lost, where that is what an error came of."""
    while error is not None:
        if isinstance(error, StorageLost):
            return str(error)
        error = error.__cause__ or error.__context__
    return None
