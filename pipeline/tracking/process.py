"""The tracker in a process of its own: MLflow takes neither time nor memory of the driver, and cannot bring it down.

python -m pipeline.tracking.process FOLDER: told on standard input what to send to, a line of JSON with what nobody else
is to see, and then when to close, in seconds; it ends with whoever started it. What it has to say (`error`, a line of
JSON a change) is on standard output.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

from pipeline.children import python
from pipeline.tracking.memory import backlog
from pipeline.tracking.mlflow.credentials import Redacting, held, hold, without
from pipeline.tracking.mlflow.location import database
from pipeline.tracking.tracker import POLL, SLOWEST, Tracker

BEHIND = 5  # nice: training goes first
GRACE = 5.0  # seconds that the process has to end in, beyond what it was given


class TrackerProcess:
    """Sends a sweep's record to MLflow from start() to close(); started again should it die. `error`: its last problem
    in one line, None once it is over. Nothing is ever raised into the sweep."""

    def __init__(self, folder: Path, uri: str, session: str = "") -> None:
        """folder: the sweep's. session: the driver's. Raises InputError for a URI that is of no known kind."""
        database(uri)
        self.folder, self.uri, self.session = folder, uri, session
        self.error: str | None = None
        self._closing = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._keep, name="tracker", daemon=True)

    def start(self) -> None:
        self._spawn()
        self._thread.start()

    def backlog(self) -> int:
        """Lines of the record that are not sent yet, with their files."""
        return backlog(self.folder, self.uri)

    def close(self, timeout: float) -> int:
        """Has it send what it can within `timeout` seconds; what is left stays for sync(). Returns the backlog."""
        self._closing.set()
        process = self._process
        if process is not None:
            try:
                assert process.stdin is not None
                process.stdin.write(f"{timeout}\n")
                process.stdin.close()
                process.wait(timeout + GRACE)
            except (OSError, ValueError):  # it is gone
                pass
            except subprocess.TimeoutExpired:
                process.kill()
            process.wait()
        if self._thread.ident is not None:
            self._thread.join(GRACE)
        return self.backlog()

    def _spawn(self) -> None:
        self._process = subprocess.Popen(
            python("-m", "pipeline.tracking.process", str(self.folder.absolute())),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=without(),
            start_new_session=True,  # a Ctrl-C is the driver's to answer
        )
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it is gone, which _keep() finds
            self._process.stdin.write(json.dumps({"uri": self.uri, "session": self.session, "held": held()}) + "\n")
            self._process.stdin.flush()

    def _keep(self) -> None:
        wait = POLL
        while True:
            began, process = time.monotonic(), self._process
            assert process is not None
            assert process.stdout is not None
            for line in process.stdout:
                self.error = json.loads(line)["error"]
            process.wait()
            if self._closing.is_set():
                return
            self.error = f"the tracker's process ended ({process.returncode})"
            wait = POLL if time.monotonic() - began > SLOWEST else min(2 * wait, SLOWEST)
            if self._closing.wait(wait):
                return
            self._spawn()


def follow(folder: Path, told: IO[str], said: IO[str]) -> None:
    """Sends to what the first line of `told` says, until a second one names the seconds that are left, or it ends."""
    asked = json.loads(told.readline())
    hold(asked["held"])
    tracker = Tracker(folder, asked["uri"], asked["session"])
    tracker.start()
    error = None
    while True:
        ready, _, _ = select.select([told], [], [], POLL)
        if tracker.error != error:
            error = tracker.error
            print(json.dumps({"error": error}), file=said, flush=True)
        if ready:
            seconds = told.readline().strip()
            if seconds:
                tracker.close(float(seconds))
            if tracker.error != error:
                print(json.dumps({"error": tracker.error}), file=said, flush=True)
            return


if __name__ == "__main__":
    os.nice(BEHIND)
    # What others print goes to the log with standard error, not into the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    logged = logging.StreamHandler()
    logged.setFormatter(Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(logged)
    with contextlib.suppress(BrokenPipeError):
        follow(Path(sys.argv[1]), sys.stdin, answers)
    os._exit(0)  # a thread in the middle of a call holds up nothing: a call made again changes nothing
