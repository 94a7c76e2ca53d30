"""What a node of a cluster has of what a sweep needs; runs on that node, with a trial's own resources. It imports
neither Ray's parts nor torch, unless a GPU is asked for: a node has seconds to answer."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipeline.errors import GansweepError, one_line
from pipeline.storage.storage import Storage, is_url, opened

PACKAGES = ("gansweep", "ray", "torch")
NONCE = "driver"  # the driver's file in the folder that a look is made in
PATIENCE = 8.0  # seconds for the storage: a node has not many more to answer
HEAD = 2**16  # bytes of a data file that are looked at
SOME = 64  # data files whose beginning is looked at


def look(node: str, folder: str, files: Sequence[str], gpu: bool) -> dict[str, Any]:
    """JSON-able. node: which one this is; folder: where the driver has left its nonce, in the sweep's or, a URL, in its
    storage; files: the data set's folders."""
    return {
        "host": platform.node(),
        **whoever(),
        **(_exchanged_through(folder, node) if is_url(folder) else _exchanged(Path(folder), node)),
        "files": {path: fingerprint(Path(path)) for path in files},
        "free": {place: free(place) for place in dict.fromkeys((*_beside(folder), tempfile.gettempdir()))},
        "gpu": _gpu_problem() if gpu else None,
    }


def whoever() -> dict[str, Any]:
    """The versions here, and the hash of the source that runs."""
    return {"versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}} | {
        "source": source()
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def source() -> str:
    """Of all files of the package, by name and content: an edited one is another program."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def fingerprint(folder: Path) -> str | None:
    """Of a folder's files: all names and sizes, and how some of them begin; None where it cannot be read."""
    digest = hashlib.sha256()
    try:
        names = sorted(path for path in folder.rglob("*") if path.is_file())
        os.listdir(folder)  # a folder that is not there has no files either
        for path in names:
            digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        for path in names[:: max(1, len(names) // SOME)]:
            with path.open("rb") as file:
                digest.update(file.read(HEAD))
    except OSError:
        return None
    return digest.hexdigest()[:12]


def free(place: str) -> int | None:
    """Bytes free there; None where it cannot be asked."""
    try:
        return shutil.disk_usage(place).free
    except OSError:
        return None


def answer(nonce: str, node: str) -> str:
    """What a node writes back: nothing that it could have without having read the nonce."""
    return hashlib.sha256(f"{nonce} {node}".encode()).hexdigest()


def _exchanged(folder: Path, node: str) -> dict[str, str | None]:
    """Reads the nonce and writes its answer, through to the storage."""
    try:
        nonce = (folder / NONCE).read_text()
    except OSError as error:
        return {"unread": str(error.strerror or error), "unwritten": None}
    try:
        with (folder / node).open("w") as file:
            file.write(answer(nonce, node))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return {"unread": None, "unwritten": str(error.strerror or error)}
    return {"unread": None, "unwritten": None}


def _exchanged_through(url: str, node: str) -> dict[str, str | None]:
    try:
        storage = opened(url, PATIENCE)
        nonce = read(storage, NONCE)
    except GansweepError as error:
        return {"unread": str(error), "unwritten": None}
    if nonce is None:
        return {"unread": "what the driver wrote is not there", "unwritten": None}
    try:
        storage.put(node, answer(nonce, node).encode())
    except GansweepError as error:
        return {"unread": None, "unwritten": str(error)}
    return {"unread": None, "unwritten": None}


def read(storage: Storage, name: str) -> str | None:
    """None where there is none."""
    try:
        return storage.get(name).decode(errors="replace")
    except FileNotFoundError:
        return None


def _beside(folder: str) -> list[str]:
    """What else needs room than the temporary folder: an object store has it."""
    return [] if is_url(folder) else [str(Path(folder).parent)]


def _gpu_problem() -> str | None:
    """Why nothing can be put on the GPU that Ray has given, in words."""
    try:
        import torch

        torch.zeros(1, device="cuda").add_(1).item()
    except Exception as error:  # whatever a broken driver or build raises
        return one_line(error)
    return None
