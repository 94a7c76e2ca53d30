"""Tune and its workers without Ray, threads or a clock: calls the driver's hooks in the order in which Tune does."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import optuna

from pipeline import faults
from pipeline.drivers.driver import Assignment
from pipeline.drivers.job import Attempt
from pipeline.drivers.nodes import Node, Nodes
from pipeline.drivers.search import SearchDriver
from pipeline.record.events import Line
from pipeline.record.follower import Follower
from pipeline.record.log import Record, read
from pipeline.record.measurement import Measurement
from pipeline.record.runs import Run
from pipeline.record.state import SweepState
from pipeline.search.sampler import Sampler
from pipeline.space.load import SweepFile, from_tree

BUDGET, EVERY = 500, 100
TREE: dict[str, Any] = {
    "data": {"name": "digits"},
    "objective": "fid",
    "budget": {"images": BUDGET},
    "evaluation": {"every": EVERY},
    "search": {"trials": 8, "startup": 2, "seed": 5},
    "generator": {"network": "dcgan"},
    "discriminator": {"network": "dcgan"},
    "optimiser": {"lr_g": {"log": [1e-5, 1e-2]}, "beta1": {"uniform": [0, 0.9]}},
    "known_good": [{"optimiser.lr_g": 2e-4, "optimiser.beta1": 0.5}],
}
# What happens to a trial's run at an evaluation: "raise MESSAGE", "lose" (the worker is lost before the checkpoint
# is written), "lose late" (after it), (a fault, how often), or signals and metrics to be measured in place of the
# usual ones.
# The plan is of a trial, or of one (trial, seed).
Plan = dict[Any, dict[int, Any]]
NOT_FINITE = {"metrics": {}, "signals": {"finite": 0.0}}
# Each kind of end, in an order in which later proposals depend on the earlier ends.
MIXED: Plan = {
    1: {300: NOT_FINITE},
    2: {200: "raise ValueError: bad shape"},
    3: {200: "lose late", 400: "lose late"},
    4: {at: {"signals": {"diversity_ratio": 0.2}} for at in range(100, 501, 100)},
    5: {300: "lose"},
}
MIXED_ENDS = ["completed", "non_finite", "crashed", "completed", "collapsed", "retries_spent"]


def sweep_file(**changes: Any) -> SweepFile:
    return from_tree(TREE | changes, "test.yaml")


def first_runs(state: SweepState) -> list[Run]:
    return [trial.first for trial in state.trials.values() if trial.first]


def ends(state: SweepState) -> list[str | None]:
    return [run.end_reason for run in first_runs(state)]


def told(state: SweepState) -> list[tuple[Any, ...]]:
    """All that a sweep came to: what was proposed, and what was found."""
    return [
        (trial.point, trial.source, run.end_reason, [(m.images, m.metrics) for m in run.measurements])
        for trial, run in zip(state.trials.values(), first_runs(state), strict=True)
    ]


def measured_twice(lines: Iterable[Line]) -> list[tuple[int, int, int]]:
    found = Counter((each["trial"], each["seed"], each["images"]) for each in lines if each["event"] == "measurement")
    return [key for key, times in found.items() if times > 1]


def ended_twice(lines: Iterable[Line]) -> list[tuple[int, int]]:
    found = Counter((each["trial"], each["seed"]) for each in lines if each["event"] == "run_ended")
    return [key for key, times in found.items() if times > 1]


def killed_at(lines: list[Line], folder: Path, ahead: dict[tuple[int, int], list[Measurement]]) -> Any:
    """A sweep's folder with this prefix of its record, and the checkpoints that its workers had written: the
    recorded one of each run, or the next, which its worker wrote and nobody recorded."""
    folder.mkdir()
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    state = SweepState.fold(lines)
    checkpoints: dict[tuple[int, int], Measurement] = {}
    for run in state.runs:
        further = [m for m in ahead.get((run.trial, run.seed), []) if m.images > run.images][:1]
        found = (run.measurements[-1:] + further)[-1:]
        if found and found[0].metrics:
            checkpoints[run.trial, run.seed] = found[0]
    return state, checkpoints


class FakeTune:
    """`checkpoints` outlives it, as the disk does: the last measurement of each run, written before it is said."""

    def __init__(
        self,
        folder: Path,
        file: SweepFile | None = None,
        plan: Plan | None = None,
        checkpoints: dict[tuple[int, int], Measurement] | None = None,
        *,
        concurrency: int = 1,
        trials: int | None = None,
        hook: Callable[[Line, str], None] | None = None,
    ) -> None:
        self.file, self.plan = file or sweep_file(), plan or {}
        self.checkpoints = {} if checkpoints is None else checkpoints
        self.jobs: list[Attempt] = []
        self.at_once = 0
        self._lost: dict[tuple[int, int], int] = {}
        self._live: list[tuple[Attempt, int]] = []  # with the images so far, as the worker knows them
        self.record = Record(folder / "events.jsonl", hook)
        lines, _ = read(self.record.path)
        if not lines:
            lines.append(
                self.record.append(
                    "sweep",
                    name="fake",
                    source="test.yaml",
                    space=self.file.tree,
                    spec=self.file.sweep.model_dump(mode="json"),
                    seed=self.file.sweep.search.seed,
                    versions={},
                )
            )
        lines.append(self.record.append("driver", session="s", state="started"))
        if not any(line["event"] == "prepared" for line in lines):
            floor = {"floor": {"fid": 2.0}, "floor_spread": {"fid": 0.1}}
            lines.append(self.record.append("prepared", data={"name": "digits", "fingerprint": "x"}, **floor))
        trials = trials or self.file.sweep.search.trials
        self.follower = Follower(self.record, lines, folder)
        given = Assignment(folder, self.record, lines, self.file, Nodes([Node("", "here", concurrency)]))
        self.driver = SearchDriver(given, trials, cuda=False)

    def study(self) -> optuna.Study:
        """What a sampler makes of the record as it stands."""
        sampler = Sampler.of(self.file)
        sampler.replay(read(self.record.path)[0])
        return sampler.study()

    def next_runs(self) -> tuple[Attempt, ...]:
        """Those of the next job, not begun."""
        job = self.driver.next_job()
        assert job is not None
        return job.runs

    def go(self, steps: int = 10**6) -> SweepState:
        """Until nothing is left (or for so many steps of a worker), the runs taking turns."""
        for _ in range(steps):
            while (found := self.driver.next_job()) is not None:
                (job,) = found.runs
                self.jobs.append(job)
                self.driver.started(job)
                self._live.append((job, -1))
            self.at_once = max(self.at_once, len(self._live))
            if self.driver.stopping or not self._live:
                assert self.driver.exhausted
                break
            self._work(*self._live.pop(0))
        return self.driver.state

    def _work(self, job: Attempt, images: int) -> None:
        """One step of a worker: it begins with its checkpoint, and says that one's measurement again."""
        key = (job.trial, job.seed)
        if images < 0:
            if (again := self.checkpoints.get(key)) is not None:
                self._say(job, again)
                return
            images = 0
        if images >= BUDGET:
            self.driver.ended(job, "completed", {})
            return
        images += EVERY
        planned = self.plan.get((job.trial, job.seed), self.plan.get(job.trial, {})).get(images)
        if isinstance(planned, str) and planned.startswith("raise"):
            self.driver.ended(job, "crashed", {"error": planned.removeprefix("raise ")})
            return
        found = measurement(job, images, planned if isinstance(planned, dict) else {})
        if planned == "lose" or (planned == "lose late" and key not in self._lost):
            if planned == "lose late":
                self.checkpoints[key] = found
            self._lost[key] = self._lost.get(key, 0) + 1
            self.driver.faulted(job, *faults.lost("node gone"))
            return
        if isinstance(planned, tuple):  # a fault that the worker itself reports, so often
            kind, times = planned
            if self._lost.get(key, 0) < times:
                self._lost[key] = self._lost.get(key, 0) + 1
                self.driver.faulted(job, kind, {"error": kind})
                return
            planned = None
        if found.metrics:  # a value that is not finite ends the training without a checkpoint
            self.checkpoints[key] = found
        self._say(job, found)

    def _say(self, job: Attempt, found: Measurement) -> None:
        if self.driver.measured(job, found):
            self._live.append((job, found.images if found.signals.get("finite", 1.0) else BUDGET))


def measurement(job: Attempt, images: int, planned: dict[str, Any]) -> Measurement:
    """What a run is worth follows from its learning rate alone, and gets better with the budget."""
    fid = 20 + 10 * (math.log10(job.spec["optimiser"]["lr_g"]) + 3.5) ** 2 + 1000 / images
    signals = {"finite": 1.0, "diversity_ratio": 0.9}
    metrics = {"fid": fid}
    metrics, signals = planned.get("metrics", metrics), signals | planned.get("signals", {})
    if metrics and signals.get("diversity_ratio", 1.0) < 0.3:  # and it gets no better
        metrics = {"fid": 300.0}
    return Measurement(images, metrics, signals, seconds=images / 100, timings={"train": 1.0})
