"""tracking.json in a sweep's folder: what was sent where."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE, RECORD = "tracking.json", "events.jsonl"

log = logging.getLogger(__name__)


@dataclass
class Memory:
    """cursor: the bytes of the record whose lines were sent; files: those whose files were; judged: the bytes of the
    votes whose ranking was. runs: ids by "TRIAL" and "TRIAL/SEED". Without this file all is sent again, and nothing
    doubles."""

    uri: str = ""
    sweep: str = ""
    experiment: str | None = None
    parent: str | None = None
    cursor: int = 0
    files: int = 0
    judged: int = 0
    runs: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Memory:
        try:
            return cls(**json.loads((folder / FILE).read_text()))
        except FileNotFoundError:
            return cls()
        except (ValueError, TypeError) as error:
            log.warning("%s cannot be read (%s): everything is sent again", folder / FILE, error)
            return cls()

    @classmethod
    def of(cls, folder: Path, uri: str) -> Memory:
        """What is remembered of the tracker `uri`; nothing if it is of another one."""
        memory = cls.read(folder)
        return memory if memory.uri == uri else cls(uri)

    def write(self, folder: Path) -> None:
        part = folder / f"{FILE}.part"
        part.write_text(json.dumps(asdict(self), indent=1))
        os.replace(part, folder / FILE)

    @property
    def run_ids(self) -> dict[tuple[int, int | None], str]:
        split = {name: name.partition("/") for name in self.runs}
        return {(int(t), int(s) if s else None): self.runs[name] for name, (t, _, s) in split.items()}


def lines_between(folder: Path, start: int, end: int | None = None) -> int:
    """Whole lines of the record from byte `start` to byte `end` (None: its end)."""
    try:
        with (folder / RECORD).open("rb") as file:
            file.seek(start)
            return file.read(-1 if end is None else max(0, end - start)).count(b"\n")
    except FileNotFoundError:
        return 0


def backlog(folder: Path, uri: str) -> int:
    """Lines that the tracker `uri` lacks, or whose files it lacks."""
    memory = Memory.of(folder, uri)
    return lines_between(folder, min(memory.cursor, memory.files))
