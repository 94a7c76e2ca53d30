"""What can go wrong with a run: an error of its own ends it, a fault of the machine ends an attempt and is retried."""

from __future__ import annotations

import contextlib
import errno
import shutil
import traceback
from pathlib import Path
from typing import Any

from pipeline.errors import InputError, Superseded, one_line, with_place

LOST, OUT_OF_MEMORY, DISK_FULL = "lost", "out_of_memory", "disk_full"
CLUSTER_LOST = "cluster_lost"  # what a driver stops for once Ray itself is gone
SUPERSEDED = "superseded"  # ... and once another one has taken its sweep over
# Attempts that a run has, by what ended them. Memory may have been short because of a neighbour; twice is reproducible.
# A full disk is nobody's attempt: the sweep stops, and goes on when there is room.
ATTEMPTS = {LOST: 4, OUT_OF_MEMORY: 2}
FULL = (errno.ENOSPC, errno.EDQUOT)
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
        (folder / "traceback.txt").write_text("".join(traceback.format_exception(error)))
    evidence = {"error": text, "traceback": "traceback.txt"}
    memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    if memory or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error)):
        return OUT_OF_MEMORY, evidence
    return ("invalid" if isinstance(error, InputError) else "crashed"), evidence


def lost(why: str) -> tuple[str, dict[str, Any]]:
    """The fault of a worker that is gone, by what Ray says of it: its memory monitor ends workers too."""
    text = why.strip().splitlines()[0][:300] if why.strip() else "worker lost"
    killed = "memory monitor" in why or "running low on memory" in why or "OutOfMemoryError" in why
    return (OUT_OF_MEMORY if killed else LOST), {"error": text}


def is_disk_full(error: BaseException | None) -> bool:
    """Whether there was no room for what was to be written, also where a library says it in words of its own."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if "No space left on device" in str(error) or "Disk quota exceeded" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def needed(folder: Path, unfinished: int) -> str:
    """What a sweep lacks on a full disk, in words: it keeps three checkpoints a run, and writes a fourth."""
    free = shutil.disk_usage(folder).free
    sizes = [path.stat().st_size for path in folder.glob("trials/*/*/checkpoints/*.pt")]
    said = f"no space left on the disk of {folder} ({free / MIB:,.1f} MiB free)"
    if not sizes:
        return f"{said}; make room for checkpoints and samples of {unfinished} runs"
    each = 4 * max(sizes)
    return f"{said}; its {unfinished} unfinished runs want up to {max(unfinished * each / MIB, 1):,.0f} MiB"
