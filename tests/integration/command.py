"""The command in a process of its own, as a user has it: with a home, and in a process group as a terminal makes it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from pipeline.record.events import Line
from pipeline.record.log import read
from pipeline.record.runs import HEALTH_REASONS
from pipeline.record.state import SweepState

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 600.0  # seconds; only a test that fails waits that long
SEED, TRIALS = 3, 6
# Some 5 evaluations and a few seconds a run.
TINY = (
    *("--set", "budget.images=12000", "--set", "evaluation.every=2000", "--set", "evaluation.samples=100"),
    *("--set", "generator.width=8", "--set", "discriminator.width=8"),
)
SWEEP = ("digits", *TINY, "--seed", str(SEED), "--trials", str(TRIALS), "--concurrency", "1")
# How a run can end that nothing went wrong around; so short a one may well be stopped for its health.
RAN = ("completed", "rung", *HEALTH_REASONS)
# What Ray, Optuna, MLflow and Python itself would write.
NOISE = re.compile(r"WARNING|ERROR|DEBUG|\bINFO\b|\[I 20|Traceback|raylet|gcs_server|alembic|ray::|File \"|Warning:")


@dataclass(frozen=True)
class Done:
    """How a command ended. seconds: from the signal that ended it where there was one."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def last(self) -> str:
        lines = self.err.strip().splitlines()
        return lines[-1] if lines else ""

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


class Running:
    """A command under way. Standard error goes to a file, so that a full pipe holds up nothing."""

    def __init__(
        self,
        home: Path,
        *arguments: str,
        module: str = "pipeline.cli",
        first: tuple[str, ...] = (),
        inside: tuple[str, ...] = (),
    ) -> None:
        """`module`: what is run in place of the command, with `first` before its arguments; `inside`: what takes it to
        another host (hosts.py)."""
        self.home = home
        self._files = [tempfile.TemporaryFile("w+") for _ in ("out", "err")]  # noqa: SIM115
        environment = {**os.environ, "GANSWEEP_HOME": str(home), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [*inside, sys.executable, "-m", module, *first, *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._files[0],
            stderr=self._files[1],
            start_new_session=True,
        )
        self.pid = self._process.pid
        self.children: list[psutil.Process] = []
        self._commands: dict[int, str] = {}

    def until(self, name: str, said: Callable[[list[Line]], bool]) -> list[Line]:
        """Waits until the sweep's record has what `said` looks for."""
        limit = time.monotonic() + PATIENCE
        while not said(lines := events(self.home, name)):
            assert self._process.poll() is None, f"ended too early: {self._read()}"
            assert time.monotonic() < limit, f"not in time: {[line['event'] for line in lines]}"
            time.sleep(0.05)
        return lines

    def said(self, text: str) -> None:
        """Waits until it has said that on standard error."""
        limit = time.monotonic() + PATIENCE
        while text not in self._read()[1]:
            assert self._process.poll() is None, f"ended too early: {self._read()}"
            assert time.monotonic() < limit, f"not in time: {self._read()}"
            time.sleep(0.05)

    def look(self) -> list[psutil.Process]:
        """The processes that it has started, and theirs; remembered for gone()."""
        self.children = psutil.Process(self.pid).children(recursive=True)
        self._commands = {each.pid: " ".join(each.cmdline())[:100].strip() for each in self.children}
        return self.children

    def signal(self, number: int, group: bool = False) -> Done:
        """Sends it to the process, or to its group as a terminal does with Ctrl-C, and waits for the end."""
        self.look()
        began = time.monotonic()
        (os.killpg if group else os.kill)(self.pid, number)
        return self.wait(began)

    def wait(self, began: float | None = None) -> Done:
        began = time.monotonic() if began is None else began
        try:
            code = self._process.wait(PATIENCE)
        finally:
            self.end()
        return Done(code, *self._read(), time.monotonic() - began)

    def left_behind(self, agents: bool = True) -> list[str]:
        """The processes of look() that are still there a while after the end. Without `agents`: but for Ray's two
        agents, which outlive a killed driver by a minute, in which they ask its dead head why."""
        asked = [each for each in self.children if agents or not self._commands[each.pid].endswith("Agent")]
        _, alive = psutil.wait_procs(asked, timeout=100)
        return [f"{process.pid} {self._commands[process.pid]}" for process in alive]

    def end(self) -> None:
        """Ends it where a test failed."""
        if self._process.poll() is None:
            for process in [*self.look(), psutil.Process(self.pid)]:
                process.kill()
            self._process.wait()

    def _read(self) -> tuple[str, str]:
        """Of what it said so far; without a seek, which would move what it writes itself."""
        out, err = (os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0) for file in self._files)
        return out.decode(), err.decode()


def gansweep(home: Path, *arguments: str) -> Done:
    return Running(home, *arguments).wait()


def events(home: Path, name: str) -> list[Line]:
    path = home / name / "events.jsonl"
    return read(path)[0] if path.exists() else []


def state_of(home: Path, name: str) -> SweepState:
    return SweepState.fold(events(home, name))


def measured(lines: list[Line], trial: int, times: int = 1) -> bool:
    """Whether the trial has been measured so often."""
    return sum(line["event"] == "measurement" and line["trial"] == trial for line in lines) >= times


def found(state: SweepState) -> list[tuple[Any, ...]]:
    """What a sweep proposed and what it came to, exactly; times left out."""
    return [
        (
            *(trial.number, trial.point, trial.spec, run.seed, run.end_reason, run.evidence),
            [(m.images, m.metrics, m.signals, m.features) for m in run.measurements],
        )
        for trial in state.trials.values()
        for run in trial.runs.values()
    ]


def made_twice(lines: list[Line]) -> list[str]:
    """Measurements and ends that are in a record twice, and attempts at a run that had ended."""
    seen: set[tuple[Any, ...]] = set()
    ended: set[tuple[int, int]] = set()
    wrong = []
    for line in lines:
        if line["event"] not in ("measurement", "run_ended", "attempt"):
            continue
        run = (line["trial"], line["seed"])
        key = (line["event"], *run, line.get("images"))
        if line["event"] == "attempt":
            key = (*key, line["attempt"])
        if key in seen or run in ended:
            wrong.append(f"{line['n']}: {key}")
        seen.add(key)
        if line["event"] == "run_ended":
            ended.add(run)
    return wrong


INTERRUPT, TERMINATE, KILL = signal.SIGINT, signal.SIGTERM, signal.SIGKILL
