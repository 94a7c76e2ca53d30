"""The files that are to be sent of a sweep whose machines share no disk: brought from its storage, where they are not
here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.record.events import DriverSaid, Line, RunEnded, every
from pipeline.record.home import run_name
from pipeline.storage.mirror import bring
from pipeline.storage.storage import Storage, of_sweep, opened

PATIENCE = 20.0  # seconds: what fails is tried again with all else that is to be sent


class Fetching:
    """Of one sweep; nothing to do for one whose folder is all there is. Its methods raise StorageLost."""

    def __init__(self, folder: Path, lines: Sequence[Line]) -> None:
        starts = [driver for driver in every(DriverSaid, list(lines)) if driver.started]
        url = starts[-1].launch.get("storage") if starts else None
        self._folder = folder
        self._storage: Storage | None = opened(of_sweep(url, folder.name), PATIENCE) if url else None

    def file(self, path: Path) -> None:
        """One of the sweep's folder; where the storage has none, it stays away."""
        if self._storage and path.is_relative_to(self._folder) and not path.exists():
            bring(self._storage, path.relative_to(self._folder).as_posix(), path)

    def pictures(self, line: Line) -> None:
        """Of a run that has ended, those that are looked for and named nowhere."""
        for ended in every(RunEnded, [line]):
            samples = f"{run_name(ended.trial, ended.seed)}/samples"
            for name in self._storage.names(samples) if self._storage else ():
                self.file(self._folder / name)
