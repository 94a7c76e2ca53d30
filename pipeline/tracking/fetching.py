"""The files that are to be sent of a sweep whose machines share no disk: brought from its storage, where they are not
here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.record.events import DriverSaid, Line, RunEnded, every
from pipeline.record.home import run_name
from pipeline.storage.mirror import CHECKPOINTS, bring
from pipeline.storage.storage import Storage, of_sweep, opened

LATE, LOOK = 30.0, 0.5  # seconds for which a checkpoint may be on its way, and between looks
PATIENCE = 20.0  # seconds: what fails is tried again with all else that is to be sent


class Fetching:
    """Of one sweep; nothing to do for one whose folder is all there is. Its methods raise StorageLost."""

    def __init__(self, folder: Path, lines: Sequence[Line]) -> None:
        starts = [driver for driver in every(DriverSaid, list(lines)) if driver.started]
        url = starts[-1].launch.get("storage") if starts else None
        self._folder = folder
        self._storage: Storage | None = opened(of_sweep(url, folder.name), PATIENCE) if url else None

    def file(self, path: Path, ended: float = 0.0) -> None:
        """One of the sweep's folder; where the storage has none, it stays away. ended: when its run did, in seconds
        since 1970: a run's last checkpoint may come a moment after its end (cluster/keeping), and is waited for."""
        if self._storage and path.is_relative_to(self._folder) and not path.exists():
            name = path.relative_to(self._folder).as_posix()
            while not bring(self._storage, name, path):
                if path.parent.name != CHECKPOINTS or not 0 <= time.time() - ended < LATE:
                    return
                time.sleep(LOOK)

    def pictures(self, line: Line) -> None:
        """Of a run that has ended, those that are looked for and named nowhere."""
        for ended in every(RunEnded, [line]):
            samples = f"{run_name(ended.trial, ended.seed)}/samples"
            for name in self._storage.names(samples) if self._storage else ():
                self.file(self._folder / name)
