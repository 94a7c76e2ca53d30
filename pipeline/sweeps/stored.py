"""A sweep in its storage, for its driver: claimed, with the record there and here made the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import InputError, StorageLost, Superseded, Unreachable
from pipeline.record import lock
from pipeline.record.claim import Claim
from pipeline.record.events import DriverSaid, every
from pipeline.record.home import TRIALS, command
from pipeline.record.log import decoded
from pipeline.record.segments import FOLDER, Segments, agreed, local_lines
from pipeline.storage.mirror import Mirror
from pipeline.storage.storage import Storage, opened
from pipeline.sweeps.bringing import PATIENCE
from pipeline.sweeps.setup import Setup

HEART = 5.0  # seconds of patience for the beat: the next one comes soon
PROBE = "probe"  # what is written once, to see that it can be


@dataclass
class Stored:
    """segments: the record's other end. superseded: another driver has the sweep by now."""

    segments: Segments
    claim: Claim

    @property
    def superseded(self) -> bool:
        return self.claim.lost or isinstance(self.segments.failed, Superseded)

    def said(self) -> str:
        return self.claim.said()


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
    claim.acquire()
    try:
        _check_new(setup, first)  # of two that are begun at once
        if said := agreed(folder, storage):
            say(f"note: {said}")
        (folder / lock.ELSEWHERE).unlink(missing_ok=True)
        if not setup.token and not _was_there(folder, setup.launch.storage):
            for run in sorted((folder / TRIALS).glob("*/seed-*")):  # of a sweep that had no storage so far
                Mirror(run, storage, run.relative_to(folder).as_posix()).push()
        yield Stored(Segments(storage, len(local_lines(folder))), claim)
    finally:
        claim.release()


def _probe(storage: Storage, name: str) -> None:
    storage.put(name, b"one")
    if storage.put_if_absent(name, b"another"):
        raise Unreachable(
            f"the storage {storage.url} writes over what it is to put only where there is none, so that two drivers "
            "would write one record; valid: one that knows If-None-Match"
        )
    storage.delete(name)


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


def _was_there(folder: Path, url: str | None) -> bool:
    """Whether the last driver had the sweep in the same storage."""
    lines = [decoded(folder, raw)[0] for raw in local_lines(folder)]
    starts = [each for each in every(DriverSaid, lines) if each.started]
    return bool(starts) and starts[-1].launch.get("storage") == url
