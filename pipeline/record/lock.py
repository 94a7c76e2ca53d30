"""One driver a sweep: a lock file in the sweep's folder with a heartbeat, which also works on a shared file system."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import filelock
import psutil

from pipeline.errors import Busy, Superseded, Unreachable
from pipeline.faults import is_disk_full

NAME = "driver.lock"
ELSEWHERE = "driver.elsewhere"  # who was seen to drive the sweep elsewhere, in its storage (claim.py), and when
SEEN = 60.0  # seconds for which that is believed
GUARD = ".driver.guard"  # held for the moment in which the lock changes hands
BEAT = 1.0  # seconds
STALE = 15.0  # seconds without a beat, for a holder whose process cannot be looked at from here
LOOK = 0.2  # seconds between looks at a heart that may beat
TRIES = 20  # at a folder that comes and goes, and at a lock that others take meanwhile


class Seen(NamedTuple):
    """A lock file as it was at one moment: two that differ are a beat, or another driver."""

    content: str
    beat: int  # nanoseconds, by the storage's clock; compared with another one only, never with a clock of ours

    @property
    def holder(self) -> dict[str, Any]:
        """What it says; nothing where it is damaged."""
        try:
            about = json.loads(self.content)
        except ValueError:
            return {}
        return about if isinstance(about, dict) else {}


@dataclass(frozen=True)
class Fence:
    """What a session's writers ask before each write: whether the sweep is still theirs."""

    folder: Path  # the sweep's
    session: str

    def holds(self) -> bool:
        """A storage that does not answer for a moment takes nothing away."""
        try:
            return bool(json.loads((self.folder / NAME).read_text())["session"] == self.session)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        except (ValueError, TypeError, KeyError):
            return False

    def check(self) -> None:
        """Raises Superseded, naming who has the sweep now."""
        if not self.holds():
            raise Superseded(self.said())

    def said(self) -> str:
        """Who has the sweep now, for a driver that has it no more."""
        seen = None
        with contextlib.suppress(OSError):
            seen = _look(self.folder / NAME)
        now = f"{named(seen.holder)} has it now" if seen else "one that has ended had it, or its lock file was removed"
        return (
            f"{self.folder.name}: this driver lost the sweep, as one that was asleep for long does ({now}); it wrote "
            f"nothing more; see: gansweep status {self.folder.name}"
        )


def holder(folder: Path) -> dict[str, Any] | None:
    """Who drives the sweep now, None where nobody does (no lock, or a stale one). For who only looks: the age of a
    lock of another host is by the storage's clock, where it can be asked."""
    try:
        seen = _look(folder / NAME)
    except OSError:
        return None
    if seen is None:
        return None
    if (alive := alive_here(seen.holder)) is not None:
        return seen.holder if alive else None
    return seen.holder if seen.holder and _storage_time(folder) - seen.beat / 1e9 < STALE else None


def elsewhere(folder: Path) -> dict[str, Any] | None:
    """Who was just seen to drive the sweep on another machine, None where nobody was."""
    try:
        sighting = json.loads((folder / ELSEWHERE).read_text())
        return dict(sighting["holder"]) if abs(time.time() - sighting["seen"]) < SEEN else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


class Lock:
    """Held from acquire() to release(). `each_beat` is called about once a second by the heartbeat's thread.
    `lost`: another driver holds it by now (this host slept, or the file was removed): nothing more may be written."""

    def __init__(
        self,
        folder: Path,
        each_beat: Callable[[], None] = lambda: None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        """say: told why acquire() waits, where it does."""
        self.path = folder / NAME
        self.session = uuid.uuid4().hex[:12]
        self.fence = Fence(folder, self.session)
        self.taken_over: dict[str, Any] | None = None
        self.lost = False
        self._each_beat, self._say = each_beat, say
        self._released = threading.Event()

    def acquire(self) -> None:
        """Raises Busy, naming the holder, where another driver is alive. A stale lock is taken over: one whose
        process is gone, and one of another host that was seen not to beat for its time, by our own steady clock."""
        for _ in range(TRIES):
            try:
                dead = self._judged()
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with filelock.FileLock(self.path.with_name(GUARD), timeout=10):
                    if _look(self.path) == dead:  # of two that find a lock stale one takes it, the other looks again
                        self._take(dead)
                        break
            except FileNotFoundError:  # a refused driver has just cleaned up its folder
                continue
            except (OSError, NotImplementedError) as error:  # filelock's Timeout is an OSError
                if is_disk_full(error):
                    raise
                raise Unreachable(f"{self.path.parent}: files cannot be locked there ({error})") from None
        else:
            raise Unreachable(f"{self.path.parent}: others take its lock again and again; try later")
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def release(self) -> None:
        self._released.set()
        if self.fence.holds():
            self.path.unlink(missing_ok=True)

    def _judged(self) -> Seen | None:
        """The lock that is there and dead, None where there is none; Busy where it is alive."""
        first = _look(self.path)
        if first is None:
            return None
        alive = alive_here(first.holder)
        if alive is None:
            alive = self._beats(first)
        if not alive:
            return first
        name = self.path.parent.name
        raise Busy(f"{name}: driven by {named(first.holder)}; wait for it, or end it with: gansweep stop {name}")

    def _beats(self, first: Seen) -> bool:
        """Whether a lock changes within the time in which it must. Clocks of two hosts are not compared."""
        end, said = time.monotonic() + STALE, False
        while time.monotonic() < end:
            time.sleep(LOOK)
            seen = _look(self.path)
            if seen != first:
                return seen is not None
            if not said and time.monotonic() > end - STALE + 2 * BEAT:
                self._say(f"{self.path.parent.name}: looking for {STALE:.0f} s whether {named(first.holder)} is alive")
                said = True
        return False

    def _take(self, dead: Seen | None) -> None:
        self.taken_over = dead.holder if dead else None
        temporary = self.path.with_name(f"{NAME}.{self.session}")
        temporary.write_text(json.dumps(whoever(self.session)))
        os.replace(temporary, self.path)

    def _beat(self) -> None:
        while not self._released.wait(BEAT):
            if self.fence.holds():
                with contextlib.suppress(OSError):
                    os.utime(self.path)
            elif not self._released.is_set():
                self.lost = True
            try:
                self._each_beat()
            except Exception:
                logging.getLogger(__name__).exception("a look at the sweep failed")  # the heart goes on beating


def _look(path: Path) -> Seen | None:
    """The lock file now, None where there is none. Opened anew each time: a network's file system looks again then."""
    try:
        with path.open(errors="replace") as file:
            return Seen(file.read(), os.fstat(file.fileno()).st_mtime_ns)
    except (FileNotFoundError, NotADirectoryError):
        return None


def whoever(session: str) -> dict[str, Any]:
    """This driver, for others."""
    return {
        "pid": os.getpid(),
        "born": psutil.Process().create_time(),
        "host": socket.gethostname(),
        "processes": _processes(),
        "session": session,
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def named(holder: dict[str, Any]) -> str:
    if not {"pid", "host", "since"} <= holder.keys():
        return "a driver whose lock cannot be read"
    return f"process {holder['pid']} on {holder['host']} since {holder['since']}"


def _processes() -> str:
    """What tells whether a process number means the same here and there: the boot of this machine, and the namespace
    of its processes; containers of one host have the host's name, and numbers of their own."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:  # no Linux
        return f"{uuid.getnode():x} {psutil.boot_time():.0f}"


def alive_here(holder: dict[str, Any]) -> bool | None:
    """Whether a driver that this process can look at is alive; None where it cannot."""
    if holder.get("host") != socket.gethostname() or holder.get("processes") != _processes():
        return None
    try:
        process = psutil.Process(holder["pid"])
        return abs(process.create_time() - holder["born"]) < 2 and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False


def _storage_time(folder: Path) -> float:
    """What the storage's clock says, by a file that has no name; our own where nothing can be written."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0")
            file.flush()
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return time.time()
