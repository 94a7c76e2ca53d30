"""The home of sweeps: their names, their folders, and what is where in one."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pipeline.errors import InputError, one_of

EVENTS = "events.jsonl"  # the record
LOG = "log.txt"  # what Ray, Optuna and MLflow said
STOP = "stop"  # there while another terminal wants the driver to end
BEST = "best.yaml"  # what a pick recommends
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def home_of(home: str | Path | None = None) -> Path:
    """Where sweeps are: --home, else GANSWEEP_HOME, else ./sweeps."""
    return Path(home or os.environ.get("GANSWEEP_HOME") or "sweeps")


def folder_of(name: str, home: str | Path | None = None) -> Path:
    """The folder of a sweep's name, which cannot leave the home."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f'the name "{name}" will not do; valid: letters, digits, dot, dash and underscore, at most 64, '
            "beginning with a letter or digit"
        )
    return home_of(home) / name


def begun(folder: Path) -> bool:
    """Whether there is a sweep in it: a record with a first line. A driver killed before that leaves an empty one."""
    try:
        with (folder / EVENTS).open("rb") as file:
            return file.readline().endswith(b"\n")
    except (FileNotFoundError, NotADirectoryError):
        return False


def has_trials(folder: Path) -> bool:
    """Whether runs have left something in a sweep's folder."""
    return any((folder / "trials").glob("*"))


def existing(name: str, home: str | Path | None = None) -> Path:
    """The folder of a sweep that is there, or InputError that lists those there are."""
    folder = folder_of(name, home)
    if not begun(folder):
        there = names(home)
        known = one_of(name, there) if there else "there is none yet; start one: gansweep run digits"
        raise InputError(f'there is no sweep "{name}" in {folder.parent}: {known}')
    return folder


def command(verb: str, folder: Path) -> str:
    """What to type for a sweep, as `gansweep resume NAME`, with the home where it is not the one of now."""
    return f"gansweep {verb} {folder.name}{option(folder)}"


def option(folder: Path) -> str:
    return "" if folder.parent.absolute() == home_of().absolute() else f" --home {folder.parent}"


def names(home: str | Path | None = None) -> list[str]:
    """The sweeps in the home, the newest last."""
    found = home_of(home).glob(f"*/{EVENTS}")
    return [path.parent.name for path in sorted(found, key=lambda path: path.stat().st_mtime) if begun(path.parent)]


def free_name(home: Path, name: str) -> str:
    """`name`, or the first of name-2, name-3, ... that no sweep has."""
    candidates = [name, *(f"{name}-{number}" for number in range(2, 10_000))]
    return next(each for each in candidates if not begun(home / each) and not has_trials(home / each))
