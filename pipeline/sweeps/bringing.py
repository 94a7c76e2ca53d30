"""A sweep that is in a storage, brought into its folder here, for whoever looks at it or goes on with it."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path

from pipeline.errors import InputError, Unreachable
from pipeline.record import claim, lock
from pipeline.record.home import BEST, TRIALS, begun, run_name
from pipeline.record.lock import ELSEWHERE
from pipeline.record.segments import FOLDER, agreed, same
from pipeline.storage.mirror import CHECKPOINTS, bring
from pipeline.storage.storage import Storage, check, each, of_sweep, opened
from pipeline.tracking.memory import FILE

PATIENCE = 15.0  # seconds for a storage that is to answer somebody who waits
NOTE = run_name(0, 0).count("/") + 1  # slashes in the name of what may be another the next time: see Mirror


def stored(name: str, url: str) -> bool:
    """Whether a storage has such a sweep."""
    return bool(opened(of_sweep(check(url), name), PATIENCE).names(FOLDER))


def has(url: str, name: str, text: str | None) -> bool:
    """Whether a sweep's storage has that text under the name."""
    try:
        return opened(url, PATIENCE).get(name) == (text or "").encode()
    except FileNotFoundError:
        return False


def agree(folder: Path, storage: Storage, adding: bool = True) -> str | None:
    """See segments.agreed. Where the record here was put aside, the tracker's place in it means nothing any more: all
    is sent again, and nothing doubles."""
    said = agreed(folder, storage, adding)
    if said:
        (folder / FILE).unlink(missing_ok=True)
    return said


def brought(folder: Path, url: str) -> None:
    """Has in the sweep's folder what the storage at `url` has of it and the folder lacks, checkpoints left out, what
    may be another by now, and whether a driver is at it elsewhere. Raises InputError where neither has such a sweep, or
    each has one of its own. A driver that is at work here has all of it, and nothing is touched."""
    if lock.holder(folder):
        return
    storage = opened(of_sweep(url, folder.name), PATIENCE)
    if not storage.names(FOLDER):
        if begun(folder):
            return
        raise InputError(f'there is no sweep "{folder.name}" in {url}; valid: a name that was run with this --storage')
    if not same(folder, storage):
        raise InputError(
            f"{folder}: has another sweep of this name than {url}; valid: another --home, for the one that is there"
        )
    try:
        if said := agree(folder, storage, adding=False):
            logging.getLogger(__name__).warning("note: %s: %s", folder.name, said)
        wanted = [name for name in storage.names(TRIALS) if f"/{CHECKPOINTS}/" not in name]  # a worker asks for those
        each(
            lambda name: bring(storage, name, folder / name),
            [BEST, *(name for name in wanted if name.count("/") == NOTE or not (folder / name).exists())],
        )
        _tell(folder, storage)
    except OSError as error:
        raise Unreachable(f"{folder}: cannot be written ({error.strerror}); choose another --home") from None


def _tell(folder: Path, storage: Storage) -> None:
    holder = claim.holder(storage)
    if holder:
        (folder / ELSEWHERE).write_text(json.dumps({"holder": holder, "seen": time.time()}))
    else:
        (folder / ELSEWHERE).unlink(missing_ok=True)
