"""Files that several processes share: made by one of them under a lock, and there whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import safetensors
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline.errors import InputError

Entry = tuple[dict[str, Tensor], dict[str, Any]]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock file beside `path`; others on this machine wait."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{path.parent}: cannot be made for the cache ({error.strerror}); choose a writable folder"
        ) from None
    with filelock.FileLock(path.with_name(path.name + ".lock")):
        yield


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder that becomes `path` when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def cached(path: Path, make: Callable[[], Entry]) -> Entry:
    """The tensors and the JSON-able facts kept in `path` (safetensors); made and written if not there or damaged."""
    with locked(path):
        entry = _read(path)
        if entry is None:
            tensors, facts = make()
            with replaced(path) as temporary:
                whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
                save_file(whole, temporary, metadata={"facts": json.dumps(facts)})
            entry = _read(path)
            assert entry is not None, path
        return entry


def _read(path: Path) -> Entry | None:
    """None for a file that is not there or that is torn, as by a full disk: it is made again."""
    if not path.exists():
        return None
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})["facts"])
        return load_file(path), facts
    except (safetensors.SafetensorError, KeyError, ValueError):
        return None
