"""What every worker of a sweep is given besides its run."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from pipeline import plugin
from pipeline.deadline import VARIABLE
from pipeline.record.home import share


@dataclass(frozen=True)
class Premises:
    """Of the driver; sent() is what goes to a worker, which has entered() it before it does anything else."""

    cache: Path  # where prepared data and extractors are
    root: Path | None  # where downloaded data sets are or go
    code: dict[str, str]  # the user's own, by path: see plugin.pin
    files: tuple[Path, ...] = ()  # the data set's, which every machine is to have
    threads: int = 1  # of a run on the CPU
    storage: str = ""  # the sweep's, where the machines share no folder; "": they share it

    def sent(self) -> dict[str, str]:
        """As plain values, which Ray and Tune pass on untouched."""
        return {
            "cache": str(self.cache),
            "root": str(self.root or ""),
            "code": json.dumps(self.code),
            "files": json.dumps([str(path) for path in self.files]),
            "threads": str(self.threads),
            "storage": self.storage,
            "deadline": os.environ.get(VARIABLE, ""),
        }

    @classmethod
    def entered(cls, sent: dict[str, str]) -> Premises:
        """In a worker: the user's code is what was sent, and what is written there is shared as the home is."""
        root, files = Path(sent["root"]) if sent["root"] else None, tuple(map(Path, json.loads(sent["files"])))
        here = cls(Path(sent["cache"]), root, json.loads(sent["code"]), files, int(sent["threads"]), sent["storage"])
        plugin.pin(here.code)
        share(here.cache.parent)
        if sent["deadline"]:
            os.environ[VARIABLE] = sent["deadline"]
        return here
