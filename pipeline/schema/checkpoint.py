"""Which checkpoint a path means, a file or a run's folder, and its hash: read without torch, for the driver."""

from __future__ import annotations

import collections
import hashlib
import pickle
import zipfile
from pathlib import Path
from typing import Any

from pipeline.errors import InputError

HASHED = 16  # hex digits of the SHA-256, as in a checkpoint's name


def find(path: Path) -> Path:
    """The file that `path` is, or the best checkpoint of the run's folder that it is. Raises InputError where there
    is none."""
    if path.is_file():
        return path
    if not (path / "checkpoints").is_dir():
        raise InputError(f"{path}: no checkpoint and no folder of a run; valid: SWEEP/trials/NUMBER/seed-SEED")
    damaged: list[str] = []
    for newest in sorted((path / "checkpoints").glob("images-*.pt"), reverse=True):
        if newest.stem.rpartition("-")[2] != file_hash(newest):
            damaged.append(f"{newest}: damaged (its hash is not the one in its name)")
            continue
        try:
            best = plain(newest)["state"]["best"]
            files = sorted((path / "checkpoints").glob(f"images-{best['images']:012d}-*.pt")) if best else []
        except Exception:  # whatever a file that is no checkpoint makes of it
            damaged.append(f"{newest}: cannot be read, or is no checkpoint of gansweep")
            continue
        return files[-1] if files else newest
    raise InputError(f"{path}: has no checkpoint that can be read" + "".join(f"; {line}" for line in damaged))


def file_hash(path: Path) -> str:
    """The first 16 hex digits of the SHA-256 of a file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:HASHED]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def plain(path: Path) -> dict[str, Any]:
    """The plain values of a checkpoint that is whole; tensors are left out."""
    with zipfile.ZipFile(path) as archive:
        entry = next(entry for entry in archive.infolist() if entry.filename.endswith("/data.pkl"))
        if entry.file_size > path.stat().st_size:
            raise ValueError(f"{path}: compressed, and could be of any size")
        with archive.open(entry) as file:
            content: dict[str, Any] = _PlainValues(file).load()
    return content


class _PlainValues(pickle.Unpickler):
    """Builds mappings and numbers alone: whatever else the file names becomes None, and no code of it is run."""

    def find_class(self, module: str, name: str) -> Any:
        return collections.OrderedDict if name == "OrderedDict" else lambda *_: None

    def persistent_load(self, pid: Any) -> None:
        return None
