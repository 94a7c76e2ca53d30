"""What a worker prints while it trains a run, in a file in the run's folder: of its process, so of libraries and of
what it was saying when it was killed too."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from pipeline.errors import Superseded

LIMIT = 2**18  # bytes of a file: of one that is longer the last so many are kept in another
LOOK = 0.2  # seconds between looks at how long it is
STREAMS = (1, 2)  # standard output and standard error


class Output:
    """Of one attempt at a run. There is no file where nothing was printed."""

    def __init__(self, path: Path, guard: Callable[[], None] = lambda: None) -> None:
        """guard: raises Superseded where the folder is no more this worker's to write to."""
        self._path, self._earlier = path, path.with_name(f"{path.stem}-earlier{path.suffix}")
        self._guard = guard
        self._cut = 0  # bytes that are in neither

    @property
    def name(self) -> str | None:
        """The file's, in the run's folder; None where there is none."""
        with contextlib.suppress(OSError):
            return self._path.name if self._path.stat().st_size else None
        return None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """For the time of the block what this process prints goes into the file. Where that cannot be written it goes
        where it went before, which is Ray's own log: to say why the folder cannot be written is the run's to do."""
        try:
            self._guard()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.open("ab", buffering=0)
        except (OSError, Superseded):
            yield
            return
        before = [os.dup(stream) for stream in STREAMS]
        self._file, over = file, threading.Event()
        _to([file.fileno()] * len(STREAMS))
        watch = threading.Thread(target=self._watch, args=(over,), name="output", daemon=True)
        watch.start()
        try:
            yield
        finally:
            over.set()
            watch.join()
            _to(before)
            for each in before:
                os.close(each)
            self._file.close()
            with contextlib.suppress(OSError, Superseded):
                if not self._path.stat().st_size:
                    self._guard()
                    self._path.unlink()

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(LOOK):
            with contextlib.suppress(OSError):
                if os.fstat(self._file.fileno()).st_size > LIMIT:
                    self._file = self._anew()

    def _anew(self) -> FileIO:
        """Goes on in a new file; the end of the one so far takes the place of the earlier one."""
        with contextlib.suppress(FileNotFoundError):
            self._cut += self._earlier.stat().st_size
        new = self._path.with_name(f"{self._path.name}.part").open("wb", buffering=0)
        _to([new.fileno()] * len(STREAMS))
        with self._file, self._path.open("rb") as old:
            length = os.fstat(old.fileno()).st_size
            self._cut += max(0, length - LIMIT)
            old.seek(max(0, length - LIMIT))
            self._earlier.write_bytes(old.read())
        os.replace(new.name, self._path)
        gone = f"; {self._cut:,} bytes before that were cut" if self._cut else ""
        new.write(f"[what was printed before is in {self._earlier.name}{gone}]\n".encode())
        return new


def _to(descriptors: list[int]) -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # one that is closed, or none
            stream.flush()
    for stream, descriptor in zip(STREAMS, descriptors, strict=True):
        os.dup2(descriptor, stream)
