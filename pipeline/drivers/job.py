"""What a driver hands to a worker."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.record.home import sweep_folder
from pipeline.record.lock import Fence

SCRATCH = "ray"  # in a sweep's folder while its driver is at work


@dataclass(frozen=True)
class Attempt:
    """One attempt at a run, as a worker gets it."""

    trial: int
    seed: int
    spec: dict[str, Any]  # resolved
    objective: str  # by which its best checkpoint is kept
    folder: str  # for checkpoints and samples
    # The number of the seed, of a run that confirms a finalist (see picking/): its last evaluations are then made on
    # the test part too.
    replicate: int | None = None
    attempt: int = 1
    session: str = ""  # of the driver that handed it out: who must hold the sweep for it to write; "": nobody else can
    node: str = ""  # that it is for (see nodes.Node)
    host: str = ""
    recorded: int = 0  # images up to which its measurements are in the record
    features: str | None = None  # what the sweep's distances are measured in

    def check(self) -> None:
        """Raises Superseded where the attempt may write no more."""
        if self.session:
            Fence(sweep_folder(Path(self.folder)), self.session).check()


@dataclass(frozen=True)
class Job:
    """What a worker is handed: runs that it trains in turns, an evaluation each. It is over with the last of them."""

    runs: tuple[Attempt, ...]

    def as_json(self) -> str:
        return json.dumps([dataclasses.asdict(run) for run in self.runs])

    @classmethod
    def from_json(cls, text: str) -> Job:
        return cls(tuple(Attempt(**run) for run in json.loads(text)))


def hung_file(attempt: Attempt) -> Path:
    """Where a worker leaves what it was in when it did not come to an end: not among what a run keeps."""
    scratch = sweep_folder(Path(attempt.folder)) / SCRATCH
    return scratch / f"hung-{attempt.trial}-{attempt.seed}-{attempt.attempt}.txt"


def output_file(attempt: Attempt, folder: Path | None = None) -> Path:
    """Where what is printed meanwhile goes: among what the run keeps, in its folder or the one in its place."""
    return (folder or Path(attempt.folder)) / f"output-{attempt.attempt}.txt"


def printed(attempt: Attempt) -> dict[str, str]:
    """Its name as evidence of an end, where there is one to be seen from here."""
    file = output_file(attempt)
    return {"output": file.name} if file.exists() else {}
