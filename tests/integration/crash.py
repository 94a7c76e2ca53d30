"""The command, with something killed at a given place: python -m tests.integration.crash PLACES VERB ...

PLACES: WHOM@WHAT:NUMBER:WHEN, several joined by commas. WHOM: driver, worker, gcs_server or raylet. WHAT: an event of
the record, `rename`, of a checkpoint, or `segment`, of the record in a storage. NUMBER: the how manieth of this launch.
WHEN: before or after it is kept.
"""

from __future__ import annotations

import functools
import os
import re
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from pipeline.cli import main
from pipeline.cluster import launch
from pipeline.drivers.job import Attempt
from pipeline.record.events import Line
from pipeline.record.log import Record
from pipeline.record.measurement import Measurement
from pipeline.record.segments import Segments
from pipeline.sweeps import start, stored
from pipeline.training.store import Store

PLACES = [place.split("@") for place in sys.argv[1].split(",")]
FUSES = tempfile.mkdtemp(prefix="crash-")  # a file each for what went off: one worker of several, once
DRIVER = os.getpid()


def go_off(whom: str, place: str, self_: bool) -> None:
    """Kills, once a place. `self_`: a worker is this process."""
    try:
        os.close(os.open(Path(FUSES, f"{whom}-{place.replace(':', '-')}"), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    if whom == "driver":
        os.kill(DRIVER, signal.SIGKILL)
    elif whom == "worker" and self_:
        os.kill(os.getpid(), signal.SIGKILL)
    else:
        for each in psutil.Process(DRIVER).children(recursive=True):
            found = " ".join(each.cmdline())
            if re.match(r"ray::(\S*\.)?Trainable\b", found) if whom == "worker" else each.name() == whom:
                each.kill()
                return
        if whom != "worker":  # between one that was killed and the next there is none
            raise SystemExit(f"nobody to kill: {whom} at {place}")


seen: Counter[tuple[str, str]] = Counter()


def at_line(line: Line, when: str) -> None:
    seen[line["event"], when] += 1
    for whom, place in PLACES:
        if place == f"{line['event']}:{seen[line['event'], when]}:{when}":
            go_off(whom, place, self_=False)


def at_segment(name: str, when: str) -> None:
    seen["segment", when] += 1
    for whom, place in PLACES:
        if place == f"segment:{seen['segment', when]}:{when}":
            go_off(whom, place, self_=False)


def crashing() -> type[launch.Trainable]:
    """Ray takes the class to its workers by value, as it is made in the main module."""
    places, off = PLACES, go_off

    class Trainable(launch.Trainable):
        def _start(self, job: Attempt) -> Iterator[Measurement]:
            from pipeline.training import store

            count: Counter[str] = Counter()

            def at_rename(path: Path, when: str) -> None:
                count[when] += 1
                for whom, place in places:
                    if place == f"rename:{count[when]}:{when}":
                        off(whom, place, self_=True)

            store.Store = functools.partial(Store, hook=at_rename)  # type: ignore[misc,assignment]
            return super()._start(job)

    return Trainable


if __name__ == "__main__":
    made: Any = functools.partial(Record, hook=at_line)
    start.Record = made  # type: ignore[misc]
    segments: Any = functools.partial(Segments, hook=at_segment)
    stored.Segments = segments  # type: ignore[misc]
    launch.Trainable = crashing()  # type: ignore[misc]
    sys.argv[1:] = sys.argv[2:]
    main.main()
