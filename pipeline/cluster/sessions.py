"""The folder that a Ray of our own keeps in the temporary folder, tens of MB each: gone with its sweep."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from pipeline.children import python
from pipeline.cluster import reaper

MARK = "gansweep.json"  # in the folder of a Ray of ours: whose it is


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """Marks the session's folder as ours for the time of the block and removes it after that, when Ray is shut down;
    should this process be killed in between, another one does. Those of drivers that are gone go now."""
    _prune(folder.parent)
    me = psutil.Process()
    with contextlib.suppress(OSError):
        (folder / MARK).write_text(json.dumps({"pid": me.pid, "born": me.create_time()}))
    behind = subprocess.Popen(
        python(str(reaper.__file__), str(os.getpid()), str(folder)),  # by its file: -m would import Ray first
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # a Ctrl-C is the driver's to answer
    )
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            assert behind.stdin is not None
            behind.stdin.write(reaper.OVER)
            behind.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            behind.wait(5)
        reaper.remove(folder)


def _prune(root: Path) -> None:
    """The folders of drivers of ours that were killed together with what cleans up after them."""
    for mark in root.glob(f"session_*/{MARK}"):
        if mark.parent.is_symlink():
            continue
        try:
            whose = json.loads(mark.read_text())
            alive = abs(psutil.Process(whose["pid"]).create_time() - whose["born"]) < 2
        except psutil.NoSuchProcess:
            alive = False
        except (OSError, ValueError, KeyError, TypeError, psutil.Error):
            continue  # another user's, or nothing of ours
        if not alive:
            reaper.remove(mark.parent)
