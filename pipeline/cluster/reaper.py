"""What cleans up after a driver that was killed: python reaper.py PID FOLDER.

It has the driver's end of its standard input. It ends at once where it is told that all is over; where the input just
ends, the driver is gone, and what it had started goes too, with the folder of its Ray.
"""

from __future__ import annotations

import contextlib
import select
import shutil
import sys
import time
from pathlib import Path

import psutil

LOOK = 1.0  # seconds between looks at what the driver has started
GRACE = 3.0  # seconds in which what a dead driver has started may end by itself
OVER = "over\n"


def watch(driver: int, folder: Path) -> None:
    known: dict[int, psutil.Process] = {}
    while True:
        with contextlib.suppress(psutil.Error):
            known |= {each.pid: each for each in psutil.Process(driver).children(recursive=True)}
        ready, _, _ = select.select([sys.stdin], [], [], LOOK)
        if ready:
            if sys.stdin.readline() == OVER:
                return
            break
    time.sleep(GRACE)
    known.pop(psutil.Process().pid, None)
    for each in known.values():
        with contextlib.suppress(psutil.Error):  # a number that another process has by now is not taken for it
            if each.is_running():
                each.kill()
    remove(folder)


def remove(folder: Path) -> None:
    """The folder of a Ray that is over, and Ray's link to the latest one where that was it."""
    shutil.rmtree(folder, ignore_errors=True)
    latest = folder.parent / "session_latest"
    with contextlib.suppress(OSError):
        if latest.is_symlink() and not latest.exists():
            latest.unlink()


if __name__ == "__main__":
    watch(int(sys.argv[1]), Path(sys.argv[2]))
