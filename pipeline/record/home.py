"""The home of sweeps: their names, their folders, and what is where in one."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import stat
import unicodedata
from pathlib import Path

from pipeline.errors import InputError, one_of

EVENTS = "events.jsonl"  # the record
LOG = "log.txt"  # what Ray, Optuna and MLflow said
STOP = "stop"  # there while another terminal wants the driver to end
TRIALS = "trials"  # the folders of its runs
BEST = "best.yaml"  # what a pick recommends
LONGEST = 64  # characters of a name
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def home_of(home: str | Path | None = None) -> Path:
    """Where sweeps are: --home, else GANSWEEP_HOME, else ./sweeps."""
    return Path(home or os.environ.get("GANSWEEP_HOME") or "sweeps").expanduser()


def share(home: Path) -> None:
    """From now on this process and its children write into a home as it is shared: where its group may write to it,
    the group may write to what they make in it, whatever the user's umask."""
    if shared := _shared(home):
        os.umask(os.umask(0o077) & ~shared)


def _shared(folder: Path) -> int:
    """The rights of others than its owner to write into a folder; none in one like /tmp, where each has his own."""
    with contextlib.suppress(OSError):
        mode = folder.stat().st_mode
        return 0 if mode & stat.S_ISVTX else mode & (stat.S_IWGRP | stat.S_IWOTH)
    return 0


def shared_as(folder: Path, path: Path) -> None:
    """Opens a file that was made with a mode of its own to those who may write to its folder."""
    shared, mode = _shared(folder), path.stat().st_mode
    if shared & ~mode:
        with contextlib.suppress(PermissionError):  # it is another user's, who did so
            path.chmod(stat.S_IMODE(mode) | shared | shared << 1)


def name_of(text: str) -> str:
    """A sweep's name out of any text, such as a file's name: "my space (1)" becomes my-space-1."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._]+", "-", plain).strip("-._")[:LONGEST].rstrip("-._") or "sweep"


def folder_of(name: str, home: str | Path | None = None) -> Path:
    """The folder of a sweep's name, which cannot leave the home."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f'the name "{name}" will not do; valid: letters, digits, dot, dash and underscore, at most {LONGEST}, '
            f"beginning with a letter or digit, such as --name {name_of(name)}"
        )
    return home_of(home) / name


def trial_folder(folder: Path, trial: int) -> Path:
    """In a sweep's folder."""
    return folder / TRIALS / str(trial)


def run_folder(folder: Path, trial: int, seed: int) -> Path:
    """Where a run's checkpoints and samples are, in a sweep's folder."""
    return folder / run_name(trial, seed)


def run_name(trial: int, seed: int) -> str:
    """Of the same folder, in the sweep's."""
    return f"{TRIALS}/{trial}/seed-{seed}"


def sweep_folder(run: Path) -> Path:
    """The sweep's folder that a run_folder() is in."""
    return run.parents[2]


def begun(folder: Path) -> bool:
    """Whether there is a sweep in it: a record with a first line. A driver killed before that leaves an empty one."""
    try:
        with (folder / EVENTS).open("rb") as file:
            return file.readline().endswith(b"\n")
    except (FileNotFoundError, NotADirectoryError):
        return False


def has_trials(folder: Path) -> bool:
    """Whether runs have left something in a sweep's folder."""
    return any((folder / TRIALS).glob("*"))


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
    return f"gansweep {verb} {shlex.quote(folder.name)}{option(folder)}"


def option(folder: Path) -> str:
    return "" if folder.parent.absolute() == home_of().absolute() else f" --home {shlex.quote(str(folder.parent))}"


def names(home: str | Path | None = None) -> list[str]:
    """The sweeps in the home, the newest last."""
    records = home_of(home).glob(f"*/{EVENTS}")
    return [path.parent.name for path in sorted(records, key=lambda path: path.stat().st_mtime) if begun(path.parent)]


def free_name(home: Path, name: str) -> str:
    """`name`, or the first of name-2, name-3, ... that no sweep has."""
    candidates = [name, *(f"{name}-{number}" for number in range(2, 10_000))]
    return next(each for each in candidates if not begun(home / each) and not has_trials(home / each))
