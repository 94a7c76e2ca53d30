"""The votes of a sweep, a line each in a file of its folder: on disk before the page hears that they are."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import pydantic

from pipeline import durable
from pipeline.errors import InputError
from pipeline.schema.base import Strict

VOTES = "judge.jsonl"  # in a sweep's folder
FORMAT = 1
Choice = Literal["left", "right", "even", "skip"]


class Shown(Strict):
    """A picture that was shown: of which trial, and of which seed after how many images."""

    trial: int
    seed: int
    images: int


class Entry(Strict):
    """A line. said: a vote (choice, left, right); `undone`, which takes the vote `id` back; or `seen`: whoever votes
    knows the ranking from here on. id: of a vote, so that one that is sent twice counts once. seconds: that it took."""

    v: int = FORMAT
    said: Literal["vote", "undone", "seen"]
    time: float
    by: str
    id: str = ""
    left: Shown | None = None
    right: Shown | None = None
    choice: Choice | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Vote:
    """seen: it was given by someone who had seen the ranking before."""

    left: Shown
    right: Shown
    choice: Choice
    by: str
    time: float
    seen: bool


def votes(folder: Path) -> list[Vote]:
    """Those that count, in their order. A last line that a kill has torn is none: no page was told that it is kept.
    Raises InputError, naming the line, for one that is damaged."""
    by_id = dict[str, Vote]()
    seen = set[str]()
    for entry in _entries(folder / VOTES):
        if entry.said == "undone":
            by_id.pop(entry.id, None)
        elif entry.said == "seen":
            seen.add(entry.by)
        elif entry.left and entry.right and entry.choice and entry.id not in by_id:
            by_id[entry.id] = Vote(entry.left, entry.right, entry.choice, entry.by, entry.time, entry.by in seen)
    return list(by_id.values())


def _entries(path: Path) -> Iterator[Entry]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    for number, line in enumerate(content.split(b"\n")[:-1], 1):  # behind the last line's end there is nothing, or torn
        try:
            entry = Entry.model_validate_json(line)
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise InputError(
                f"{path}: line {number}: {where + ': ' if where else ''}{first['msg']}; found {line[:60]!r}; valid: a "
                f"vote as gansweep judge writes it, so take the line out"
            ) from None
        if entry.v > FORMAT:
            raise InputError(
                f"{path}: line {number}: written in format {entry.v}; this gansweep reads up to {FORMAT}, install a "
                f"newer one"
            )
        yield entry


def add(folder: Path, entry: Entry) -> None:
    """Writes a line through to the disk, behind whatever others have written. Raises OSError, with no line written,
    where there is no room for it."""
    path = folder / VOTES
    new = not path.exists()
    with _alone(path) as file:
        _without_torn(file)
        end = file.seek(0, os.SEEK_END)
        try:
            file.write(entry.model_dump_json(exclude_defaults=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            file.truncate(end)
            raise
    if new:
        durable.sync_folder(folder)


@contextmanager
def _alone(path: Path) -> Iterator[IO[bytes]]:
    """The file, with no other writer at it; unbuffered."""
    with path.open("ab+", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _without_torn(file: IO[bytes]) -> None:
    """Cuts off a last line that was not written to its end."""
    file.seek(0)
    content = file.read()
    if not content.endswith(b"\n"):
        file.truncate(content.rfind(b"\n") + 1)
