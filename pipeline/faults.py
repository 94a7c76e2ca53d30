"""What can go wrong with a run: an error of its own ends it, a fault of the machine ends an attempt and is retried."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import InputError, NodeFault, StorageLost, Superseded, one_line, with_place

LOST, OUT_OF_MEMORY, DISK_FULL = "lost", "out_of_memory", "disk_full"
NODE = "node"  # the machine lacks what all of a sweep's machines are to have
NO_NODES = "no_nodes"  # what a driver stops for once there is no machine left on which anything works
CLUSTER_LOST = "cluster_lost"  # what a driver stops for once Ray itself is gone
STORAGE_LOST = "storage_lost"  # ... or the storage, and nothing more can be written down
SUPERSEDED = "superseded"  # ... and once another one has taken its sweep over
# Attempts that a run has, by what ended them. Memory may have been short because of a neighbour; twice is reproducible.
# A full disk is nobody's attempt: the sweep stops, and goes on when there is room.
ATTEMPTS = {LOST: 4, OUT_OF_MEMORY: 2, NODE: 4}
FULL = (errno.ENOSPC, errno.EDQUOT)
AWAY = (errno.EROFS, errno.EACCES, errno.ENOENT, errno.ESTALE)  # of a file that the other machines have
# What torch and CUDA say where the driver or the device is not there, whatever the configuration.
CUDA = re.compile(
    "no CUDA GPUs are available|Found no NVIDIA driver|CUDA driver (initialization failed|version is insufficient)"
    "|CUDA unknown error|CUDA error: (initialization error|no CUDA-capable device|system not yet initialized"
    "|all CUDA-capable devices are busy|CUDA driver version)|not compiled with CUDA enabled|CUDA initialization:",
    re.IGNORECASE,
)
TRACEBACK = "traceback.txt"  # in a run's folder, of the error that ended it
MIB = 2**20


def classify(error: BaseException, folder: Path) -> tuple[str, dict[str, Any]]:
    """An end reason, or a fault of an attempt (out_of_memory, disk_full, superseded), and its evidence, for an error
    out of a run; the traceback is saved in the run's folder."""
    text = with_place(error) if isinstance(error, SystemExit) else one_line(error)  # of an exit its number says nothing
    if is_disk_full(error):
        return DISK_FULL, {"error": text}
    if isinstance(error, Superseded):
        return SUPERSEDED, {"error": text}
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / TRACEBACK).write_text("".join(traceback.format_exception(error)))
    evidence = {"error": text, "traceback": TRACEBACK}
    memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    if memory or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error)):
        return OUT_OF_MEMORY, evidence
    return ("invalid" if isinstance(error, InputError) else "crashed"), evidence


def of_node(error: BaseException, storage: Path, files: Sequence[Path]) -> bool:
    """Whether an error out of a run is the machine's: its CUDA does not start, or it does not reach what all machines
    of the sweep are to have. storage: the run's folder; files: of the data set."""
    causes = list(_causes(error))
    if any(
        isinstance(each, NodeFault | StorageLost) or (isinstance(each, Exception) and CUDA.search(str(each)))
        for each in causes
    ):
        return True
    known = (storage, *files)
    for each in causes:
        if isinstance(each, OSError) and each.errno in AWAY:
            named = isinstance(each.filename, str) and any(Path(each.filename).is_relative_to(it) for it in known)
            if named or each.errno == errno.ESTALE:
                return True
    at = next((path for path in (storage, *storage.parents) if path.exists()), storage)
    if not os.access(at, os.W_OK):
        return True
    reading = any(isinstance(each, InputError | OSError) for each in causes)
    return reading and not all(os.access(path, os.R_OK) for path in files)


def lost(why: str) -> tuple[str, dict[str, Any]]:
    """The fault of a worker that is gone, by what Ray says of it: its memory monitor ends workers too."""
    text = why.strip().splitlines()[0][:300] if why.strip() else "worker lost"
    killed = "memory monitor" in why or "running low on memory" in why or "OutOfMemoryError" in why
    return (OUT_OF_MEMORY if killed else LOST), {"error": text}


def is_disk_full(error: BaseException | None) -> bool:
    """Whether there was no room for what was to be written, also where a library says it in words of its own."""
    for each in _causes(error):
        if isinstance(each, OSError) and each.errno in FULL:
            return True
        if "No space left on device" in str(each) or "Disk quota exceeded" in str(each):
            return True
    return False


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that it came of."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def needed(folder: Path, unfinished: int) -> str:
    """What a sweep lacks on a full disk, in words: it keeps three checkpoints a run, and writes a fourth."""
    free = shutil.disk_usage(folder).free
    sizes = [path.stat().st_size for path in folder.glob("trials/*/*/checkpoints/*.pt")]
    said = f"no space left on the disk of {folder} ({free / MIB:,.1f} MiB free)"
    if not sizes:
        return f"{said}; make room for checkpoints and samples of {unfinished} runs"
    each = 4 * max(sizes)
    return f"{said}; its {unfinished} unfinished runs want up to {max(unfinished * each / MIB, 1):,.0f} MiB"
