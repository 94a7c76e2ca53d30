"""The record in a storage: numbered segments of it, each of which can be created once. So two drivers cannot write two
records, whatever they take each other for."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pipeline import durable
from pipeline.errors import GansweepError, InputError, Superseded
from pipeline.record.events import Line
from pipeline.record.home import EVENTS
from pipeline.record.log import decoded
from pipeline.storage.storage import Storage, each

FOLDER = "record"
ASIDE = f"{EVENTS}.superseded"  # what a driver wrote here after it had lost the sweep
# What nobody acts on before another line follows, and what a run's checkpoint says again: it may be under way.
MAY_WAIT = ("measurement", "notice")
LONGEST = 10.0  # seconds for which they are


def name_of(number: int) -> str:
    """Of the segment whose first line has the number."""
    return f"{FOLDER}/{number:012d}.jsonl"


def number_of(name: str) -> int:
    return int(Path(name).stem)


class Segments:
    """The driver's end: take() is for Record, flush() for a thread that looks now and then. `guard` is called before
    each segment is put, and raises where the sweep is no more this driver's (claim.Claim.check); `hook(name, when)`
    right before and right after, so that a test can end the process there."""

    def __init__(
        self,
        storage: Storage,
        number: int,
        guard: Callable[[], None] = lambda: None,
        hook: Callable[[str, str], None] | None = None,
    ) -> None:
        """number: of the lines that are there, which the next one has."""
        self._storage, self._next, self._guard, self._hook = storage, number, guard, hook
        self._waiting: list[bytes] = []
        self._since = 0.0
        self.failed: GansweepError | None = None  # once for all: the storage was asked for long
        self._lock = threading.Lock()

    def take(self, line: Line, raw: bytes) -> None:
        """Has the line in the storage before it returns, but for one that may wait. Raises Superseded where another
        driver has written one of its number, StorageLost where the storage fails: nobody may act on it then."""
        with self._lock:
            if not self._waiting:
                self._since = time.monotonic()
            self._waiting.append(raw)
            if line["event"] not in MAY_WAIT:
                self._put()

    def flush(self) -> None:
        """Puts what has waited for long; what goes wrong is raised by the next take()."""
        with self._lock, contextlib.suppress(GansweepError):
            if self._waiting and time.monotonic() - self._since > LONGEST:
                self._put()

    def _put(self) -> None:
        if self.failed:
            raise self.failed
        name = name_of(self._next)
        if self._hook:
            self._hook(name, "before")
        try:
            self._guard()
            _add(self._storage, self._next, self._waiting)
        except GansweepError as error:
            self.failed = error
            raise
        self._next += len(self._waiting)
        self._waiting.clear()
        if self._hook:
            self._hook(name, "after")


def _add(storage: Storage, number: int, lines: list[bytes]) -> None:
    if not storage.put_if_absent(name_of(number), b"".join(lines)):
        raise Superseded(
            f"another driver has the sweep, and has written to {storage.url} what this one was about to; it wrote "
            "nothing more"
        )


def lines_from(storage: Storage, number: int) -> list[bytes]:
    """The lines from that number on, as they are in the record. Raises InputError where one is missing."""
    starts = [number_of(name) for name in storage.names(FOLDER)]
    first = max((start for start in starts if start <= number), default=0)
    wanted = [start for start in starts if start >= first]
    lines: list[bytes] = []
    for start, content in zip(wanted, each(lambda name: storage.get(name), map(name_of, wanted)), strict=True):
        if start != first + len(lines):
            raise InputError(f"{storage.url}/{name_of(start)}: the segment before it is missing or damaged")
        assert isinstance(content, bytes)
        lines += content.splitlines(keepends=True)
    return lines[number - first :]


def events_since(storage: Storage, number: int) -> list[Line]:
    """The same, read. Raises InputError for one that is damaged too."""
    lines = []
    for at, raw in enumerate(lines_from(storage, number), number):
        line, wrong = decoded(Path(EVENTS), raw)
        if wrong:
            raise InputError(f"{storage.url}/{FOLDER}: line {at + 1}: {wrong}")
        lines.append(line)
    return lines


def agreed(folder: Path, storage: Storage, adding: bool = True) -> str | None:
    """Makes the record of a sweep's folder and the one in the storage the same, for whoever has the lock of both: what
    either lacks is added to it. Where they differ the storage's is the record, and what was here is put aside; returns
    what that was, in words. adding: to the storage too, else what it lacks is left to the next driver."""
    here = local_lines(folder)
    start = max((s for s in map(number_of, storage.names(FOLDER)) if s < len(here)), default=0)
    there = lines_from(storage, start)
    mine = here[start:]
    if mine[: len(there)] == there:
        if adding and (rest := mine[len(there) :]):
            _add(storage, start + len(there), rest)
        return None
    if there[: len(mine)] == mine:
        _write(folder / EVENTS, here + there[len(mine) :])
        return None
    there = lines_from(storage, 0)
    same = next(at for at, (ours, theirs) in enumerate(zip(here, there, strict=False)) if ours != theirs)
    os.replace(folder / EVENTS, folder / ASIDE)
    _write(folder / EVENTS, there)
    return f"{len(here) - same} lines were written here after another driver had the sweep; they are in {ASIDE}"


def same(folder: Path, storage: Storage) -> bool:
    """Whether the record of a sweep's folder, where there is one, begins as the one in the storage: they are of one
    sweep."""
    here = local_lines(folder)[:1]
    try:
        return not here or storage.get(name_of(0)).splitlines(keepends=True)[:1] == here
    except FileNotFoundError:  # it lacks its beginning, which is said where it is read
        return True


def local_lines(folder: Path) -> list[bytes]:
    """The whole lines of a sweep's folder."""
    try:
        lines = (folder / EVENTS).read_bytes().splitlines(keepends=True)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return lines if not lines or lines[-1].endswith(b"\n") else lines[:-1]


def _write(path: Path, lines: list[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(b"".join(lines))
        file.flush()
        os.fsync(file.fileno())
    durable.replace(temporary, path)
