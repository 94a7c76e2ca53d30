"""One driver a sweep: a lock file in the sweep's folder with a heartbeat, which also works on a shared file system."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import psutil

from pipeline.errors import InputError, Unreachable
from pipeline.faults import is_disk_full

NAME = "driver.lock"
GUARD = ".driver.guard"  # held for the moment in which the lock changes hands
BEAT = 1.0  # seconds
STALE = 15.0  # seconds without a beat, for a holder on another host


def holder(folder: Path) -> dict[str, Any] | None:
    """Who drives the sweep now, None where nobody does (no lock, or a stale one)."""
    path = folder / NAME
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        age = time.time() - path.stat().st_mtime
        if found["host"] == socket.gethostname():
            return found if _alive(found["pid"], found["born"]) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return found if age < STALE else None


class Lock:
    """Held from acquire() to release(). `each_beat` is called about once a second by the heartbeat's thread.
    `lost`: another driver holds it by now (this host slept, or the file was removed): nothing more may be written."""

    def __init__(self, folder: Path, each_beat: Callable[[], None] = lambda: None) -> None:
        self.path = folder / NAME
        self.session = uuid.uuid4().hex[:12]
        self.taken_over: dict[str, Any] | None = None
        self.lost = False
        self._each_beat = each_beat
        self._released = threading.Event()

    def acquire(self) -> None:
        """Raises InputError, naming the holder, where another driver is alive. A stale lock is taken over."""
        try:
            guard = filelock.FileLock(self.path.with_name(GUARD), timeout=10)
            with guard:  # of two that find a lock stale one takes it over, and the other finds a fresh one
                self._acquire()
        except (OSError, NotImplementedError) as error:  # filelock's Timeout is an OSError
            if is_disk_full(error):
                raise
            raise Unreachable(f"{self.path.parent}: files cannot be locked there ({error})") from None
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def release(self) -> None:
        self._released.set()
        if self._mine():
            self.path.unlink(missing_ok=True)

    def _acquire(self) -> None:
        other, name = holder(self.path.parent), self.path.parent.name
        if other is not None:
            raise InputError(
                f"{name}: driven by process {other['pid']} on {other['host']} since {other['since']}; "
                f"wait for it, or end it with: gansweep stop {name}"
            )
        if self.path.exists():
            self.taken_over = _read(self.path)
        me = {
            "pid": os.getpid(),
            "born": psutil.Process().create_time(),
            "host": socket.gethostname(),
            "session": self.session,
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
        temporary = self.path.with_name(f"{NAME}.{self.session}")
        temporary.write_text(json.dumps(me))
        os.replace(temporary, self.path)

    def _mine(self) -> bool:
        """A storage that does not answer for a moment takes nothing away."""
        try:
            return bool(json.loads(self.path.read_text())["session"] == self.session)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        except (ValueError, TypeError, KeyError):
            return False

    def _beat(self) -> None:
        while not self._released.wait(BEAT):
            if self._mine():
                with contextlib.suppress(OSError):
                    os.utime(self.path)
            elif not self._released.is_set():
                self.lost = True
            try:
                self._each_beat()
            except Exception:
                logging.getLogger(__name__).exception("a look at the sweep failed")  # the heart goes on beating


def _read(path: Path) -> dict[str, Any]:
    """What a lock file says; nothing where it is not there or damaged."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _alive(pid: int, born: float) -> bool:
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - born) < 2 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
