"""The checkpoints of one run: written to a temporary name and renamed, with a hash; the last two and the best kept.

torch is imported where a file is read or written: the driver, which has no torch, uses the rest.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline import durable
from pipeline.errors import GansweepError

FORMAT = 1
_NAME = re.compile(r"images-(\d{12})-(?:attempt-(\d{4,})-)?([0-9a-f]{16})\.(?:pt|part)")


class DamagedCheckpoint(Exception):
    """The file is not what was written: its hash is not the one in its name, or it cannot be read."""


class Store:
    """A run's folder. `hook(path, when)` is called right before and right after each rename, for tests.

    In a sweep a run's attempts write under their numbers (0: there is but one), and before each write `guard` raises
    where the attempt is no more the run's. An attempt removes what it wrote itself and what those before it left,
    which are over; never what a later one wrote, so that one that slept takes nothing from its successor.
    """

    def __init__(
        self,
        folder: Path,
        hook: Callable[[Path, str], None] | None = None,
        *,
        attempt: int = 0,
        guard: Callable[[], None] = lambda: None,
    ) -> None:
        self.folder, self.attempt, self.guard = folder, attempt, guard
        self.checkpoints = folder / "checkpoints"
        self.samples = folder / "samples"
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        self.samples.mkdir(exist_ok=True)
        self.damaged: list[str] = []
        self._hook = hook

    def save(self, images: int, content: dict[str, Any]) -> str:
        """Writes a checkpoint and returns its name, relative to the run's folder. What else is there of as many
        images or more is removed: the run went back to before it, because it was damaged."""
        import torch

        buffer = io.BytesIO()
        torch.save({"format": FORMAT, **content}, buffer)
        raw = buffer.getvalue()
        mine = f"attempt-{self.attempt:04d}-" if self.attempt else ""
        path = self.checkpoints / f"images-{images:012d}-{mine}{_hash(raw)}.pt"
        temporary = path.with_suffix(".part")
        self.guard()
        try:
            with temporary.open("wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
        except OSError:  # a full disk: what it took is given back
            temporary.unlink(missing_ok=True)
            raise
        if self._hook:
            self._hook(path, "before")
        try:
            self.guard()
        except GansweepError:
            temporary.unlink(missing_ok=True)
            raise
        durable.replace(temporary, path)
        if self._hook:
            self._hook(path, "after")
        for other in self._paths():
            if other != path and _images(other) >= images and _attempt(other) <= self.attempt:
                other.unlink(missing_ok=True)
        return str(path.relative_to(self.folder))

    def newest(self) -> tuple[str, dict[str, Any]] | None:
        """The newest valid checkpoint, as (name, content); damaged ones are passed over and named in `damaged`."""
        for path in reversed(self._paths()):
            try:
                return str(path.relative_to(self.folder)), load(path)
            except DamagedCheckpoint as error:
                self.damaged.append(str(error))
        return None

    def at(self, images: int) -> str | None:
        """The name of the checkpoint at `images`, if it is there."""
        there = [path for path in self._paths() if path.name.startswith(f"images-{images:012d}-")]
        return str(there[-1].relative_to(self.folder)) if there else None

    def keep(self, best: str | None, last: int = 2) -> None:
        """Removes all checkpoints but the last ones and the best, and what a killed write left."""
        paths = self._paths()
        kept = {self.folder / best} if best else set()
        kept |= set(paths[-last:] if last else [])
        self.guard()
        for path in {*paths, *self._paths("*.part")} - kept:
            if _attempt(path) <= self.attempt:
                path.unlink(missing_ok=True)

    def _paths(self, pattern: str = "*.pt") -> list[Path]:
        paths = [path for path in self.checkpoints.glob(pattern) if _NAME.fullmatch(path.name)]
        return sorted(paths, key=lambda path: (_images(path), _attempt(path), path.name))


def load(path: Path) -> dict[str, Any]:
    """The content of a checkpoint, on the CPU: tensors and plain values only, no code is run.

    Raises DamagedCheckpoint where the file's hash is not the one in its name or it cannot be read.
    """
    import torch

    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DamagedCheckpoint(f"{path}: {error.strerror}") from None
    named = _NAME.fullmatch(path.name)
    if named and _hash(raw) != named[3]:
        raise DamagedCheckpoint(f"{path}: damaged ({len(raw)} bytes, its hash is not the one in its name)")
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive, warnings.catch_warnings(action="ignore"):
            if sum(entry.file_size for entry in archive.infolist()) > len(raw):
                raise ValueError("compressed: torch writes none, and it could be of any size")
            content: dict[str, Any] = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except Exception:  # its text is for who wrote the file, and advises to run the code in it
        raise DamagedCheckpoint(f"{path}: cannot be read: it is damaged, or is no checkpoint of gansweep") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DamagedCheckpoint(f"{path}: not a checkpoint of this version of gansweep")
    return content


def _images(path: Path) -> int:
    return int(_parts(path)[1])


def _attempt(path: Path) -> int:
    """0 of the only one, and of those that were written before attempts were told apart."""
    return int(_parts(path)[2] or 0)


def _parts(path: Path) -> re.Match[str]:
    parts = _NAME.fullmatch(path.name)
    assert parts is not None, path  # one of _paths()
    return parts


def _hash(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:16]
