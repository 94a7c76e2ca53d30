"""The event log of a sweep, the only truth: one JSON line an event, on disk before anyone acts on it."""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pipeline import durable
from pipeline.errors import InputError
from pipeline.record.check import FORMAT, NewerFormat, Sequence, fault
from pipeline.record.events import REQUIRED, Line
from pipeline.record.home import command

APART = 0.0015  # seconds between lines, at least: a tracker with milliseconds keeps them apart, clocks are set back

_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Record:
    """The driver's end of the log. `hook(line, when)` is called right before and right after each write, so
    that a test can end the process there. `guard` is called before each write, and raises where nothing more may be
    written (lock.Fence.check); `kept` with each line that is on this disk, before anyone acts on it, and raises where
    nobody may (segments.Segments.take)."""

    def __init__(
        self,
        path: Path,
        hook: Callable[[Line, str], None] | None = None,
        guard: Callable[[], None] = lambda: None,
        kept: Callable[[Line, bytes], None] | None = None,
    ) -> None:
        """Opens the log for appending; a torn last line is cut off and kept in `torn`.

        The log becomes a new file with the same lines: what a driver that slept between its guard and its write still
        writes, lands in the old one, which has no name any more.
        """
        self.path = path
        self.torn: str | None = None
        self._hook, self._guard, self._kept = hook, guard, kept
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Line], None]] = []
        lines, whole = read(path) if path.exists() else ([], 0)
        self._number = len(lines)
        self._time: float = lines[-1]["time"] if lines else 0.0
        guard()
        if path.exists():
            self.torn = _renewed(path, whole)
        self._file = path.open("ab", buffering=0)

    def listen(self, listener: Callable[[Line], None]) -> None:
        """Calls `listener` with every further line, after it is on disk."""
        self._listeners.append(listener)

    def append(self, event: str, **fields: Any) -> Line:
        """Writes one line through to the disk and returns it. Raises OSError, with no line written, where there is no
        room for it."""
        missing = [name for name in REQUIRED[event] if name not in fields]
        if missing:
            raise TypeError(f"{event} lacks {', '.join(missing)}")
        with self._lock:
            self._time = max(time.time(), self._time + APART)
            line = {"v": FORMAT, "n": self._number, "time": self._time, "event": event, **fields}
            if self._hook:
                self._hook(line, "before")
            self._guard()
            raw = dumps(line).encode() + b"\n"
            self._write(raw)
            self._number += 1
            if self._hook:
                self._hook(line, "after")
            if self._kept:
                self._kept(line, raw)
        for listener in self._listeners:
            listener(line)
        return line

    def close(self) -> None:
        self._file.close()

    def _write(self, raw: bytes) -> None:
        """The whole of it, or nothing: what a full disk took of a line is cut off again."""
        end = os.fstat(self._file.fileno()).st_size
        try:
            while raw:
                raw = raw[self._file.write(raw) :]
            os.fsync(self._file.fileno())
        except OSError:
            os.ftruncate(self._file.fileno(), end)
            raise


def _renewed(path: Path, whole: int) -> str | None:
    """Puts a copy of the first `whole` bytes in the file's place; what was after them, None where nothing was."""
    content = path.read_bytes()
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            shutil.copymode(path, temporary)
            file.write(content[:whole])
            file.flush()
            os.fsync(file.fileno())
        durable.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return content[whole:].decode(errors="replace") or None


def read(path: Path, offset: int = 0, limit: int | None = None) -> tuple[list[Line], int]:
    """The whole lines from byte `offset` on, at most `limit`, and the offset after them: a reader's cursor.

    Raises InputError, naming the line, what is wrong with it and what to do, for one that is damaged, lost, there
    twice or out of its place (a torn last line is not a whole one), and for a newer format.
    """
    lines = list(itertools.islice(_lines(path, offset), limit))
    return [line for line, _ in lines], lines[-1][1] if lines else offset


def _lines(path: Path, offset: int) -> Iterator[tuple[Line, int]]:
    sequence = Sequence(whole=offset == 0)
    with path.open("rb") as file:
        file.seek(offset)
        for number, raw in enumerate(file):
            if not raw.endswith(b"\n"):
                return
            line, wrong = decoded(path, raw)
            wrong = wrong or sequence.fault(line)
            if wrong:
                at = f"line {number + 1} (byte {offset})" if sequence.whole else f"the line at byte {offset}"
                raise InputError(f"{path}: {at}: {wrong}; see: {command('doctor', path.parent)}")
            sequence.add(line)
            offset += len(raw)
            yield line, offset


def decoded(path: Path, raw: bytes) -> tuple[Line, str | None]:
    """A line of the record, and what is wrong with it by itself. Raises InputError for one of a newer format."""
    try:
        line = loads(raw.decode())
    except (ValueError, RecursionError):
        return {}, f"it is not JSON: {raw[:60]!r}"
    try:
        return line, fault(line)
    except NewerFormat as error:
        raise InputError(
            f"{path}: written in format {error}; this gansweep reads up to {FORMAT}, install a newer one"
        ) from None


def dumps(value: Any, indent: int | None = None) -> str:
    """JSON that any reader takes: it has no NaN and no infinity, so they are the strings "NaN" and "Infinity"."""
    return json.dumps(_encode(value), allow_nan=False, indent=indent)


def loads(text: str) -> Any:
    """What dumps() gave."""
    value = json.loads(text)
    return _decode(value) if any(f'"{name}"' in text for name in _NOT_FINITE) else value


def _encode(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, dict):
        return {key: _encode(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encode(part) for part in value]
    return value


def _decode(value: Any) -> Any:
    if isinstance(value, str):
        return _NOT_FINITE.get(value, value)
    if isinstance(value, dict):
        return {key: _decode(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_decode(part) for part in value]
    return value
