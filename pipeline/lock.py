"""One driver a sweep: a lock file in the sweep's folder with a heartbeat, which also works on a shared file system."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from pipeline.errors import InputError

NAME = "driver.lock"
BEAT = 1.0  # seconds
STALE = 15.0  # seconds without a beat, for a holder on another host


def holder(folder: Path) -> dict[str, Any] | None:
    """Who drives the sweep now, None where nobody does (no lock, or a stale one)."""
    path = folder / NAME
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        age = time.time() - path.stat().st_mtime
    except (OSError, ValueError):
        return None
    if found["host"] == socket.gethostname():
        return found if _alive(found["pid"], found["born"]) else None
    return found if age < STALE else None


class Lock:
    """Held from acquire() to release(). `each_beat` is called about once a second by the heartbeat's thread."""

    def __init__(self, folder: Path, each_beat: Callable[[], None] = lambda: None) -> None:
        self.path = folder / NAME
        self.session = uuid.uuid4().hex[:12]
        self.taken_over: dict[str, Any] | None = None
        self._each_beat = each_beat
        self._released = threading.Event()

    def acquire(self) -> None:
        """Raises InputError, naming the holder, where another driver is alive. A stale lock is taken over."""
        for _ in range(3):
            try:
                self._create()
                break
            except FileExistsError:
                other = holder(self.path.parent)
                if other is not None:
                    raise InputError(
                        f"{self.path.parent.name}: driven by process {other['pid']} on {other['host']} since "
                        f"{other['since']}; wait for it, or end it with: gansweep stop {self.path.parent.name}"
                    ) from None
                self.taken_over = self._remove_stale()
        else:
            raise InputError(f"{self.path}: another driver took it at the same moment; try again")
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def release(self) -> None:
        self._released.set()
        self.path.unlink(missing_ok=True)

    def _create(self) -> None:
        me = {
            "pid": os.getpid(),
            "born": psutil.Process().create_time(),
            "host": socket.gethostname(),
            "session": self.session,
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
        temporary = self.path.with_name(f"{NAME}.{self.session}")
        temporary.write_text(json.dumps(me))
        try:
            os.link(temporary, self.path)  # fails where it exists: whole or not there, also on NFS
        finally:
            temporary.unlink()

    def _remove_stale(self) -> dict[str, Any] | None:
        """Moves the stale lock away; of several takers one moves it, the others find it gone."""
        aside = self.path.with_name(f"{NAME}.stale-{self.session}")
        try:
            os.rename(self.path, aside)
            found: dict[str, Any] = json.loads(aside.read_text())
        except (OSError, ValueError):
            return None
        finally:
            aside.unlink(missing_ok=True)
        return found

    def _beat(self) -> None:
        while not self._released.wait(BEAT):
            try:
                os.utime(self.path)
            except OSError:
                if self._released.is_set():
                    return
            self._each_beat()


def _alive(pid: int, born: float) -> bool:
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - born) < 2 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
