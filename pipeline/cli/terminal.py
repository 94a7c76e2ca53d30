"""The terminal while a driver is at work: its live progress, and where everything else that is printed goes."""

from __future__ import annotations

import fcntl
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live

from pipeline.errors import Unreachable
from pipeline.record.follower import Follower
from pipeline.record.runs import Run
from pipeline.record.state import SweepState
from pipeline.report.numbers import kimg, number
from pipeline.report.tables import render
from pipeline.tracking.mlflow.credentials import Redacting

REFRESH = 0.5  # seconds


class Log:
    """A sweep's log, which several drivers may write at once: two that are started together. Who leaves nothing behind
    removes it only where it is nobody else's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        while True:
            self._file = path.open("ab")
            fcntl.flock(self._file, fcntl.LOCK_SH)
            with suppress(OSError):
                if path.stat().st_ino == os.fstat(self._file.fileno()).st_ino:
                    break
            self._file.close()  # it was removed in between
            path.parent.mkdir(parents=True, exist_ok=True)

    def fileno(self) -> int:
        return self._file.fileno()

    def remove(self) -> None:
        """With its folder, where there is nothing else in it."""
        with suppress(OSError):
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.path.unlink()
            self.path.parent.rmdir()


@contextmanager
def logged_to(path: Path) -> Iterator[tuple[Console, TextIO, Log]]:
    """Sends all that this process and its libraries print to `path`; yields the terminal's console (standard
    error), the true standard output and the log. Ray, Optuna and MLflow write from C++ and threads too, so the file
    descriptors themselves are turned."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        log = Log(path)
    except OSError as error:
        raise Unreachable(f"{path.parent}: cannot be written ({error.strerror}); choose another --home") from None
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    out, err = os.dup(1), os.dup(2)
    shown, stdout = (os.fdopen(os.dup(each), "w", errors="replace") for each in (err, out))
    console = Console(file=shown)
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        yield console, stdout, log
    finally:
        logging.getLogger().removeHandler(handler)
        with suppress(OSError):  # the log's disk is full
            sys.stdout.flush()
            sys.stderr.flush()
        for stream in (shown, stdout):
            with suppress(OSError):
                stream.close()
        os.dup2(out, 1)
        os.dup2(err, 2)
        for descriptor in (out, err):
            os.close(descriptor)


class LiveView:
    """A watcher (see sweeps/session.py): a live view on a terminal, else a line for each run's end. `view`: makes the
    live view of a state, seconds and backlog; `runs`: those of the state whose end is said."""

    def __init__(
        self,
        console: Console,
        view: Callable[[SweepState, float, int], Group] = render,
        runs: Callable[[SweepState], list[Run]] = lambda state: state.runs,
    ) -> None:
        self._console, self._runs, self._view = console, runs, view

    @contextmanager
    def __call__(self, sweep: Follower, backlog: Callable[[], int]) -> Iterator[None]:
        over = threading.Event()
        began = time.monotonic()

        def view() -> Group:
            return self._view(sweep.state(), time.monotonic() - began, backlog())

        def loop() -> None:
            said: set[tuple[int, int]] = set()
            if not self._console.is_terminal:
                said = {(run.trial, run.seed) for run in self._runs(sweep.state()) if run.end_reason}
            with (
                Live(view(), console=self._console, refresh_per_second=4, transient=True)
                if (self._console.is_terminal)
                else _nothing() as live
            ):
                while not over.wait(REFRESH):
                    self._say_notices(sweep)
                    if live is not None:
                        live.update(view())
                    else:
                        self._say_ends(sweep.state(), said)
            self._say_notices(sweep)
            if not self._console.is_terminal:
                self._say_ends(sweep.state(), said)

        thread = threading.Thread(target=loop, name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _say_notices(self, sweep: Follower) -> None:
        for text in sweep.notices():
            self.say(f"note: {text}")

    def _say_ends(self, state: SweepState, said: set[tuple[int, int]]) -> None:
        for run in self._runs(state):
            if run.end_reason and (run.trial, run.seed) not in said:
                said.add((run.trial, run.seed))
                tail = run.tail(state.metric)
                name = state.configuration(run.trial).title + ("" if run.replicate is None else f" seed {run.seed}")
                self._console.print(
                    f"{name}: {run.end_reason} at {kimg(run.images)}, "
                    f"{state.metric} tail {number(tail)}, {run.seconds:.0f} s",
                    highlight=False,
                    soft_wrap=True,
                )


@contextmanager
def _nothing() -> Iterator[None]:
    yield None
