"""Files that several processes share: made by one of them under a lock, and there whole or not at all."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor

from pipeline.data.rows import Kept, chunks
from pipeline.errors import InputError

Entry = tuple[dict[str, Tensor], dict[str, Any]]
# safetensors' names of the kinds of numbers that are kept.
KINDS = {torch.uint8: "U8", torch.int64: "I64", torch.float32: "F32", torch.float64: "F64", torch.bool: "BOOL"}


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


def cached(path: Path, make: Callable[[], tuple[Mapping[str, Kept], dict[str, Any]]]) -> Entry:
    """The tensors and the JSON-able facts kept in `path` (safetensors), mapped into memory; made and written if not
    there or damaged."""
    with locked(path):
        entry = _read(path)
        if entry is None:
            tensors, facts = make()
            with replaced(path) as temporary:
                _write(temporary, tensors, {"facts": json.dumps(facts)})
            entry = _read(path)
            assert entry is not None, path
        return entry


def _write(path: Path, tensors: Mapping[str, Kept], metadata: dict[str, str]) -> None:
    """A file of safetensors, without all of it in memory: the length of its header, the header as JSON, the values."""
    header: dict[str, Any] = {"__metadata__": metadata}
    ordered = sorted(tensors.items(), key=lambda each: (-each[1].dtype.itemsize, each[0]))  # so that all are aligned
    end = 0
    for name, tensor in ordered:
        start, end = end, end + math.prod(tensor.shape) * tensor.dtype.itemsize
        header[name] = {"dtype": KINDS[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, tensor in ordered:
            for chunk in chunks(tensor):
                file.write(chunk.numpy().data)


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
