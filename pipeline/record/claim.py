"""One driver a sweep, where its lock is in a storage: a numbered claim, which one driver alone can create, and a beat
that its holder puts into it. No clocks of two machines are compared."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from pipeline.errors import Busy, GansweepError, StorageLost, Superseded
from pipeline.record.lock import STALE, alive_here, named, whoever
from pipeline.storage.storage import Storage

FOLDER = "driver"
BEAT = 3.0  # seconds
OLD = 2 * BEAT  # seconds after which what was seen of the claim is looked at anew
LOOK = 1.0  # seconds between looks at a heart that may beat
TRIES = 20  # at a lock that others take meanwhile
RELEASED = "released"


class Claim:
    """Held from acquire() to release(). `lost`: another driver has claimed the sweep since."""

    def __init__(self, storage: Storage, session: str, say: Callable[[str], None] = lambda text: None) -> None:
        """storage: the sweep's, asked with little patience. say: told why acquire() waits, where it does."""
        self._storage, self._session, self._say = storage, session, say
        self._name = ""
        self.lost, self._seen = False, 0.0  # when it was last seen to be ours
        self.taken_over: dict[str, Any] | None = None
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="claim", daemon=True)

    def acquire(self) -> None:
        """Raises Busy, naming the holder, where another driver is alive. The claim of one that is gone, or was seen not
        to beat for its time by our own steady clock, is passed over by a later one."""
        for _ in range(TRIES):
            last = newest(self._storage)
            alive, held = (self._alive(last), _read(self._storage, last) or {}) if last else (False, {})
            if alive:
                raise Busy(f"driven by {named(held)}, as {self._storage.url} says; wait for it, or end it there")
            name, at = f"{FOLDER}/{(_number(last) if last else 0) + 1:08d}.json", _now()
            self._name = name  # before it is there: an answer that is lost may be that it is
            if self._storage.put_if_absent(name, self._said()):
                break
        else:
            raise StorageLost(f"{self._storage.url}: others take its lock again and again; try later")
        self._seen = at
        self._thread.start()
        self.taken_over = None if last is None or held.get(RELEASED) else held
        with contextlib.suppress(GansweepError):  # what is left there counts for nothing, and the next one removes it
            for old in self._storage.names(FOLDER):
                if old < name:
                    self._storage.delete(old)

    def release(self) -> None:
        """Also of what failed halfway; nothing to do where nothing was claimed."""
        self._released.set()
        if self._thread.is_alive():
            self._thread.join()
        if not self._name or self.lost:
            return
        with contextlib.suppress(GansweepError):
            if (_read(self._storage, self._name) or {}).get("session") == self._session:
                self._storage.put(self._name, self._said({RELEASED: True}))

    def check(self, fresh: bool = False) -> None:
        """Before something is put: raises Superseded where another driver has claimed the sweep since. That is looked
        at anew where the last look is long ago, as for one that was asleep, or `fresh` asks for it; a storage that does
        not answer for a moment takes nothing away."""
        if not self.lost and (fresh or _now() - self._seen > OLD):
            with contextlib.suppress(StorageLost):
                self._look()
        if self.lost:
            raise Superseded(self.said())

    def said(self) -> str:
        """Who has the sweep now, for a driver that has it no more."""
        who = "another driver"
        with contextlib.suppress(GansweepError):
            if last := newest(self._storage):
                who = named(_read(self._storage, last) or {})
        return f"this driver lost the sweep, as one that was asleep or cut off for long does ({who} has it now)"

    def _alive(self, name: str) -> bool:
        """Whether what has the claim is a driver at work: one of this machine is looked at, of another one a beat is
        waited for."""
        first = _read(self._storage, name)
        if first is None or first.get(RELEASED):
            return False
        if (alive := alive_here(first)) is not None:
            return alive
        end, said = time.monotonic() + STALE, False
        while (began := time.monotonic()) < end:
            time.sleep(LOOK)
            if newest(self._storage) != name:
                return False  # another claim, which is looked at anew
            now = _read(self._storage, name)
            if now != first:
                return now is not None and not now.get(RELEASED)
            if not said:
                self._say(f"looking for {STALE:.0f} s whether {named(first)} is alive")
                said = True
            # a storage that took long to answer may not have taken a beat either
            end += max(0.0, time.monotonic() - began - 2 * LOOK)
        return False

    def _said(self, more: dict[str, Any] | None = None) -> bytes:
        return json.dumps({**whoever(self._session), "beat": uuid.uuid4().hex[:8], **(more or {})}).encode()

    def _look(self) -> None:
        at = _now()
        if newest(self._storage) == self._name:
            self._seen = at
        else:
            self.lost = True

    def _beat(self) -> None:
        while not self._released.wait(BEAT):
            try:
                self._look()
                if self.lost:
                    return
                self._storage.put(self._name, self._said())
            except GansweepError:  # the storage is away for a moment
                pass
            except Exception:
                logging.getLogger(__name__).exception("a beat failed")  # the heart goes on beating


class Sight:
    """That a sweep is still a session's, for its workers: before each time that they put something."""

    def __init__(self, storage: Storage, session: str) -> None:
        self._storage, self._session = storage, session
        self._seen = -OLD

    def check(self) -> None:
        """Raises Superseded where it is not. It is looked at anew where the last look is long ago, as for one that was
        asleep; what is put in between harms nobody: a checkpoint's name says of which attempt it is."""
        at = _now()
        if at - self._seen < OLD:
            return
        last = newest(self._storage)
        there = _read(self._storage, last) if last else None
        if there is None or there.get("session") != self._session:
            has = named(there or {})
            raise Superseded(f"{self._storage.url}: {has} has the sweep now; this worker wrote nothing more")
        self._seen = at


def holder(storage: Storage) -> dict[str, Any] | None:
    """Who drives the sweep, for who only looks: one whose heart beats within two beats; None where nobody does."""
    last = newest(storage)
    first = _read(storage, last) if last else None
    if last is None or first is None or first.get(RELEASED):
        return None
    if (alive := alive_here(first)) is not None:
        return first if alive else None
    end = time.monotonic() + 2 * BEAT + LOOK
    while time.monotonic() < end:
        time.sleep(LOOK)
        if (now := _read(storage, last)) != first:
            return now if now and not now.get(RELEASED) else None
    return None


def newest(storage: Storage) -> str | None:
    """The claim that counts."""
    return max(storage.names(FOLDER), default=None)


def _now() -> float:
    """Seconds by a steady clock, which goes on while the machine is asleep where the system has such a one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def _number(name: str) -> int:
    return int(name.removeprefix(f"{FOLDER}/").removesuffix(".json"))


def _read(storage: Storage, name: str) -> dict[str, Any] | None:
    """What it says; None where it is gone by now."""
    try:
        content = json.loads(storage.get(name))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
