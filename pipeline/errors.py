"""What can go wrong for a user, each with its exit code, and how such a line is worded."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any


class GansweepError(Exception):
    """The work failed; its text is one line for the user. document: what --json prints besides it, None where that is
    printed already."""

    exit_code = 1
    document: Mapping[str, Any] | None = MappingProxyType({})


class InputError(GansweepError):
    """The input is wrong: the line names file, key, what was found and what would be valid."""

    exit_code = 2


class Busy(InputError):
    """Another driver is at the sweep. exit_code: LATER for one who said that it may have been begun before."""


LATER = 75  # EX_TEMPFAIL of sysexits.h: the same command may succeed later


class Unreachable(GansweepError):
    """Something the sweep needs (cluster, tracker, storage) cannot be reached."""

    exit_code = 3


class StorageLost(Unreachable):
    """The storage (storage/) does not give or take what it is asked to, for longer than anyone waits."""


class NoHealthyTrial(GansweepError):
    """The sweep ended without one healthy trial."""

    exit_code = 4


class Superseded(GansweepError):
    """Another driver has taken the sweep over: nothing more may be written to it."""


class NodeFault(GansweepError):
    """The machine that it runs on lacks something, or has something else than the sweep's other machines."""


@contextmanager
def within(source: str) -> Iterator[None]:
    """Begins the line of an InputError with the file that it is about, where it does not yet."""
    try:
        yield
    except InputError as error:
        if str(error).startswith(f"{source}: "):
            raise
        raise InputError(f"{source}: {error}") from None


def one_of(found: object, known: Iterable[str]) -> str:
    """'did you mean "x"? (valid: a, b, c)', to end a line about a name that is not there."""
    names = [str(name) for name in known]
    near = difflib.get_close_matches(str(found), names, n=1, cutoff=0.5)
    hint = f'did you mean "{near[0]}"? ' if near else ""
    return f"{hint}(valid: {', '.join(names)})"


def one_line(error: BaseException, which: int = 0) -> str:
    """'KindOfError: its text', of a text of several lines one: the first, or (-1) the last, as a traceback ends."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[which][:300]}" if text else type(error).__name__


def with_place(error: BaseException) -> str:
    """The error in one line, with the place that raised it, where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return one_line(error)
    return f"{one_line(error)} ({Path(frames[-1].filename).name}, line {frames[-1].lineno}, in {frames[-1].name})"


def show(value: Any) -> str:
    """The value as one would write it in the YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {show(part)}" for key, part in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(show, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def quoted(value: Any) -> str:
    """A value that was found, told apart from the words around it: text in quotes, 16.0 not as 16."""
    if isinstance(value, str):
        return f'"{value}"'
    return repr(value) if isinstance(value, float) else show(value)
