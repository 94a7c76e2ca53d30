"""A folder of this machine whose files are in a storage too, under a prefix: a run's, for its worker."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from pipeline.storage.storage import Storage, each

UNFINISHED = (".part",)
LOOKS = 3  # at what is there: what is gone when it is to be brought was followed by something newer
CHECKPOINTS = "checkpoints"  # the folder of what a run goes on from


class Mirror:
    """What is in the storage is never written over but for notes, the files right in the folder: the names of all
    others say what is in them. An empty file says nothing, and is left out. What was there and is gone from the folder
    is removed from the storage."""

    def __init__(self, folder: Path, storage: Storage, prefix: str, guard: Callable[[], None] = lambda: None) -> None:
        """guard: called before each push, and raises where the folder is no more this worker's to keep."""
        self.folder, self.storage, self._prefix, self._guard = folder, storage, prefix, guard
        self._kept: dict[str, tuple[int, int]] = {}  # time and size, of the files as they are in the storage
        self._gone: set[str] = set()  # from the folder, as the last push found it

    def pull(self, part: str = "") -> None:
        """Brings what the folder lacks, all of it or one of the folders in it."""
        at = f"{self._prefix}/{part}" if part else self._prefix
        for _ in range(LOOKS):
            names = [name.removeprefix(f"{self._prefix}/") for name in self.storage.names(at)]
            if all(each(self._bring, [name for name in names if not (self.folder / name).exists()])):
                break
        there = self._files()
        self._kept |= {name: there[name] for name in names if name in there}

    def push(self) -> None:
        """Puts what is new, and removes from the storage what is gone."""
        there = self._files()
        new = [name for name, seen in there.items() if self._kept.get(name) != seen]
        gone = [name for name in self._kept if name not in there]
        if not new and not gone:
            return
        self._guard()
        # What a checkpoint says is there is there before it: whoever goes on from it makes nothing anew. What is gone
        # is removed once that which followed it is there: with the next push, or where nothing follows.
        removed = [name for name in gone if name in self._gone or not new]
        last = [name for name in new if name.startswith(f"{CHECKPOINTS}/")]
        each(self._follow, [*removed, *(name for name in new if name not in last)])
        each(self._follow, last)
        self._kept = {name: seen for name, seen in self._kept.items() if name not in removed}
        self._kept |= {name: there[name] for name in new}
        self._gone = set(gone)

    def _follow(self, name: str) -> None:
        """Has in the storage what the folder has of that name, or has not."""
        if (self.folder / name).exists():
            self._put(name)
        else:
            self.storage.delete(f"{self._prefix}/{name}")

    def _put(self, name: str) -> None:
        content = (self.folder / name).read_bytes()
        if "/" in name:
            self.storage.put_if_absent(f"{self._prefix}/{name}", content)
        else:
            self.storage.put(f"{self._prefix}/{name}", content)

    def _bring(self, name: str) -> bool:
        return bring(self.storage, f"{self._prefix}/{name}", self.folder / name)

    def _files(self) -> dict[str, tuple[int, int]]:
        stamps = {}
        for path in self.folder.rglob("*"):
            if path.is_file() and not path.name.startswith(".") and path.suffix not in UNFINISHED:
                status = path.stat()
                if status.st_size:
                    stamps[path.relative_to(self.folder).as_posix()] = (status.st_mtime_ns, status.st_size)
        return stamps


def bring(storage: Storage, name: str, path: Path) -> bool:
    """Has the object in a file, whole or not at all; False where there is none by now."""
    try:
        content = storage.get(name)
    except FileNotFoundError:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return True
