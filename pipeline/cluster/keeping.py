"""Where a worker keeps its run: in the sweep's folder, and where the machines share none in a folder of its own that
goes to the storage file by file."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.deadline import bounded, told
from pipeline.drivers.job import SCRATCH, Attempt, hung_file
from pipeline.errors import Superseded
from pipeline.faults import TRACEBACK
from pipeline.record import claim
from pipeline.record.events import Line
from pipeline.record.home import EVENTS, run_name, sweep_folder
from pipeline.record.log import read
from pipeline.record.segments import events_since
from pipeline.storage.mirror import CHECKPOINTS, Mirror
from pipeline.storage.storage import Storage, opened

PREFIX, MARK = "gansweep-run-", "held"  # of the folder where the machines share none
PATIENCE = 60.0  # seconds for the storage, whose failing is the machine's fault at first


class Keeping:
    """Of one attempt. `folder`: the run's, here; `hung`: the file for what did not come to an end."""

    def __init__(self, attempt: Attempt, url: str) -> None:
        """url: of the sweep's storage, "" where it is the folder that all share."""
        self.attempt, self.folder, self.hung = attempt, Path(attempt.folder), hung_file(attempt)
        self._mirror, self._own = None, False
        if url:
            storage = opened(url, PATIENCE)
            self._own = not _sees(attempt)
            if self._own:
                self._scratch = Scratch()
                scratch = self._scratch.folder
                self.folder, self.hung = scratch / "run", scratch / SCRATCH / self.hung.name
                self.folder.mkdir()
            name = run_name(attempt.trial, attempt.seed)
            self._mirror = Mirror(self.folder, storage, name, claim.Sight(storage, attempt.session).check)

    def check(self) -> None:
        """Before each write into the folder: raises Superseded where the sweep's is no more this driver's."""
        if not self._own:
            self.attempt.check()

    def begin(self) -> None:
        """Brings the checkpoints that the run goes on from."""
        if self._mirror:
            self._mirror.pull(CHECKPOINTS)

    def put(self) -> None:
        """Has in the storage what is in the folder, before anyone is told of it."""
        if self._mirror:
            self._mirror.push()

    @contextmanager
    def bounded(self, seconds: float) -> Iterator[None]:
        """Ends this process where the block does not end in time, and leaves where it was for the driver: in the file
        that both see, or under its name in the storage, and as the run's traceback there."""
        if not self._own:
            with bounded(seconds, self.hung):
                yield
            return
        with told(seconds, self.hung, self._leave):
            yield

    def _leave(self) -> None:
        assert self._mirror is not None
        shutil.copy(self.hung, self.folder / TRACEBACK)
        self._mirror.push()
        self._mirror.storage.put(f"{SCRATCH}/{self.hung.name}", self.hung.read_bytes())

    def close(self) -> None:
        """Lets go of what is in the storage by now."""
        if self._own:
            self._scratch.close()

    def lines(self) -> list[Line]:
        """The sweep's record, as far as it is seen from here."""
        if self._mirror is None or not self._own:
            return read(sweep_folder(self.folder) / EVENTS)[0]
        return _read(self._mirror.storage)


class Scratch:
    """A folder of this process's in the temporary folder, held by a lock that the system lets go of with the process:
    so those of workers that were killed are known, and removed by the next one."""

    def __init__(self) -> None:
        for mark in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{MARK}"):
            with contextlib.suppress(OSError), mark.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(mark.parent, ignore_errors=True)
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        begun = self.folder / f".{MARK}"
        self._mark = begun.open("w")
        fcntl.flock(self._mark, fcntl.LOCK_EX)
        begun.rename(self.folder / MARK)  # nobody comes to see it without its lock

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self._mark.close()


_known: dict[str, list[Line]] = {}  # what this worker has read of a sweep's record: it only grows


def _read(storage: Storage) -> list[Line]:
    lines = _known.setdefault(storage.url, [])
    lines += events_since(storage, len(lines))
    return lines


def _sees(attempt: Attempt) -> bool:
    """Whether the sweep's folder here is the driver's."""
    if not (sweep_folder(Path(attempt.folder)) / EVENTS).exists():
        return False
    with contextlib.suppress(Superseded):
        attempt.check()
        return True
    return False
