"""Nothing hangs for ever: how long a step may take before whoever waits for it gives up, and what it was in then."""

from __future__ import annotations

import contextlib
import faulthandler
import math
import os
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from pipeline.errors import InputError

VARIABLE = "GANSWEEP_DEADLINE"  # seconds, in place of the deadlines here
UNKNOWN = 4 * 3600.0  # seconds, where nothing is known yet
LEAST, TIMES = 600.0, 20  # a run's own: so many times the slowest of its evaluations, but never less
LAST = 30.0  # seconds for what is told at the end, less than a driver waits longer (drivers/waiting.py)
HUNG = "hung.txt"  # what such a file's name ends with
T = TypeVar("T")
_FRAME = re.compile(r'  File "(.+)", line (\d+) in (.+)')
_OURS = f"{Path(__file__).resolve().parent}{os.sep}"


def deadline(known: Sequence[float] = ()) -> float:
    """Seconds for the next step of what took the `known` seconds before."""
    if given := os.environ.get(VARIABLE):
        with contextlib.suppress(ValueError):
            if 0 < float(given) < math.inf:
                return float(given)
        raise InputError(f'{VARIABLE}: found "{given}"; valid: seconds, above 0')
    return max(LEAST, TIMES * max(known)) if known else UNKNOWN


@contextmanager
def bounded(seconds: float, file: Path) -> Iterator[None]:
    """Ends this process where the block does not end in time, and leaves in `file` where it was: also in a call that
    never gives Python back its turn. For a worker, whose driver looks for the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as out:
        faulthandler.dump_traceback_later(seconds, exit=True, file=out)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            file.unlink(missing_ok=True)


@contextmanager
def told(seconds: float, file: Path, tell: Callable[[], None]) -> Iterator[None]:
    """The same, for a file that whoever looks for it does not see: `tell` sends it there, before this process ends.
    Only a call that never gives Python back its turn ends untold, LAST seconds later."""

    def leave(said: str) -> None:
        with file.open("w") as out:
            out.write(f"Timeout ({timedelta(seconds=round(seconds))})!\n")
            out.flush()
            faulthandler.dump_traceback(out)
        tell()

    with bounded(seconds + LAST, file), ending(seconds, leave):
        yield


def hung(file: Path) -> str | None:
    """What bounded() left of a process that it ended, in words; None where it left nothing."""
    try:
        text = file.read_text(errors="replace")
    except OSError:
        return None
    seconds = re.match(r"Timeout \((.+)\)!", text)
    if seconds is None:
        return None
    main = text.split("\n\n")[-1] if "\n\n" in text else text  # the main thread is the last one
    frames = [match.groups() for line in main.splitlines() if (match := _FRAME.match(line))]
    if not frames:
        return f"did not come to an end within {seconds[1]}"
    return f"did not come to an end within {seconds[1]}: it was in {_place(frames)}"


@contextmanager
def ending(seconds: float, tell: Callable[[str], None]) -> Iterator[None]:
    """Ends this process with code 1 where the block, of its main thread, does not end in time; `tell` says why."""
    over, thread = threading.Event(), threading.get_ident()

    def watch() -> None:
        if over.wait(seconds):
            return
        stack = traceback.extract_stack(sys._current_frames()[thread])
        frames = [(each.filename, str(each.lineno), each.name) for each in reversed(stack)]
        try:
            tell(f"did not come to an end within {seconds:.0f} s: it was in {_place(frames)} ({VARIABLE}: seconds)")
        finally:
            os._exit(1)

    threading.Thread(target=watch, name="deadline", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def timely(steps: Iterator[T], tell: Callable[[str], None]) -> Iterator[T]:
    """The same steps, each of which is to end in time (see `ending`)."""
    seconds: list[float] = []
    while True:
        began = time.monotonic()
        try:
            with ending(deadline(seconds), tell):
                step = next(steps)
        except StopIteration:
            return
        seconds.append(time.monotonic() - began)
        yield step


def _place(frames: Sequence[tuple[str, ...]]) -> str:
    """The innermost frame that is of the user's own code, else the innermost of all."""
    installed = ("site-packages", "lib/python", "<")
    others = [each for each in frames if not each[0].startswith(_OURS)]
    users = [each for each in others if not any(part in each[0] for part in installed)]
    path, line, function = (users or frames)[0]
    return f"{Path(path).name}, line {line} ({function})"
