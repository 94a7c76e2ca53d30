"""What a trial costs besides its training: no-op trials through the whole path, beside the plain script.

python -m tests.benchmarks.trial_cost [--trials 200] [--sampler tpe] [--plain 30]

A no-op trial is a run whose training yields one measurement at once: all else is the product. Two actors, tracking on
SQLite. Wall clock and processor time of the driver between two trials' ends, its memory at both, and where the time
went. The plain script is what the documentation of the three libraries leads to: function API, OptunaSearch, ASHA,
MLflowLoggerCallback, everything else as it comes.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import psutil

from pipeline.drivers.job import Attempt
from pipeline.record.measurement import Measurement

BUDGET = 1000
STEP = 50  # trials between two looks
# What of the driver's time is whose; a part's share contains none of another's.
PARTS = {
    "proposing": "pipeline.search.sampler.Sampler.ask",
    "building its spec": "pipeline.drivers.search.parse",
    "record": "pipeline.record.log.Record._write",
    "health and rungs": "pipeline.drivers.driver.Driver._end_of",
}


class Look:
    """Where a sweep's driver is each time that 50 more runs have ended."""

    def __init__(self) -> None:
        self.spent = dict.fromkeys(PARTS, 0.0)
        self.marks: dict[int, dict[str, Any]] = {0: self._mark(0)}
        for part, name in PARTS.items():
            self._time(part, name)

    def __call__(self, driver: Any, backlog: Callable[[], int]) -> Any:
        ended = 0

        def look(line: dict[str, Any]) -> None:
            nonlocal ended
            if line["event"] == "run_ended":
                ended += 1
                if ended % STEP == 0:
                    self.marks[ended] = self._mark(backlog())

        driver._record.listen(look)
        return nullcontext()

    def say(self, text: str) -> None:
        print(text, file=sys.stderr)

    def row(self, start: int, end: int) -> str:
        """ms a trial between two trials' ends, in all and by part, and the driver's MiB at both."""
        a, b, count = self.marks[start], self.marks[end], end - start
        each = {name: 1000 * (b["spent"][name] - a["spent"][name]) / count for name in PARTS}
        wall, cpu = (1000 * (b[name] - a[name]) / count for name in ("time", "cpu"))
        cells = " | ".join(f"{value:.1f}" for value in (wall, cpu, *each.values(), cpu - sum(each.values())))
        return f"| {start} to {end} | {cells} | {a['memory']:.0f} to {b['memory']:.0f} | {b['backlog']} |"

    def _mark(self, backlog: int) -> dict[str, Any]:
        me = psutil.Process()
        cpu, memory = me.cpu_times(), me.memory_info().rss / 2**20
        used = {"time": time.perf_counter(), "cpu": cpu.user + cpu.system, "memory": memory}
        return {**used, "spent": dict(self.spent), "backlog": backlog}

    def _time(self, part: str, name: str) -> None:
        path, _, attribute = name.rpartition(".")
        try:
            owner: Any = importlib.import_module(path)
        except ModuleNotFoundError:
            module, _, kind = path.rpartition(".")
            owner = getattr(importlib.import_module(module), kind)
        real = getattr(owner, attribute)

        @functools.wraps(real)
        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return real(*args, **kwargs)
            finally:
                self.spent[part] += time.perf_counter() - began

        setattr(owner, attribute, timed)


def sweep(trials: int, sampler: str, home: Path) -> Look:
    """Runs it in this process."""
    from pipeline.cluster import launch
    from pipeline.sweeps.sweep import Sweep

    class NoOp(launch.Run):
        def _start(self, job: Attempt) -> Iterator[Measurement]:
            signals = {"finite": 1.0, "diversity_ratio": 0.9, "coverage": 0.5, "sample_variance_ratio": 1.0}
            value = 20.0 + abs(float(job.spec["optimiser"]["lr_g"]) - 1e-3) * 1e4
            yield Measurement(BUDGET, {"fid": value}, signals, 0.0, {"train": 0.0})

    launch.Run = NoOp  # type: ignore[misc]
    changes = [f"budget.images={BUDGET}", f"evaluation.every={BUDGET}", f"search.sampler={sampler}"]
    made = Sweep.from_file("digits", changes, name="noop", home=home, trials=trials, concurrency=2)
    look = Look()
    made.run(look)
    if "torch" in sys.modules:
        raise SystemExit("the driver has imported torch")
    return look


PLAIN = """
import os, sys, time
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch
from ray.air.integrations.mlflow import MLflowLoggerCallback

ends = []

class Clock(tune.Callback):
    def on_trial_complete(self, iteration, trials, trial, **info):
        ends.append(time.perf_counter())

def train(config):
    tune.report({"fid": 20 + abs(config["lr"] - 1e-3) * 1e4, "images": 1000})

trials, home = int(sys.argv[1]), sys.argv[2]
tune.Tuner(
    train,
    param_space={"lr": tune.loguniform(1e-5, 1e-2), "beta1": tune.uniform(0, 0.9)},
    tune_config=tune.TuneConfig(
        metric="fid", mode="min", num_samples=trials, search_alg=OptunaSearch(), max_concurrent_trials=2,
        scheduler=ASHAScheduler(time_attr="images", max_t=1000, grace_period=100),
    ),
    run_config=tune.RunConfig(
        storage_path=home, callbacks=[MLflowLoggerCallback(f"sqlite:///{home}/m.db", experiment_name="e"), Clock()]
    ),
).fit()
first = trials // 4
print("plain", 1000 * (ends[-1] - ends[first - 1]) / (trials - first))
"""


def plain(trials: int, home: Path) -> float:
    """ms a trial of the plain script, after its first quarter."""
    done = subprocess.run([sys.executable, "-c", PLAIN, str(trials), str(home)], capture_output=True, text=True)
    found = [line for line in done.stdout.splitlines() if line.startswith("plain ")]
    if not found:
        raise SystemExit(done.stderr[-2000:])
    return float(found[0].split()[1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--sampler", default="tpe")
    parser.add_argument("--plain", type=int, default=0)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    names = " | ".join(PARTS)
    with tempfile.TemporaryDirectory() as name:
        look = sweep(arguments.trials, arguments.sampler, Path(name))
    print(f"| trials ({arguments.sampler}) | ms a trial | driver | {names} | Ray and the rest | MiB | behind |")
    print("|" + "---|" * (len(PARTS) + 6))
    last = arguments.trials - arguments.trials % STEP
    middle = last // 100 * STEP
    for start, end in sorted({(50, last), (50, 150), (middle, middle + 100), (last - 100, last)}):
        print(look.row(start, end))
    if arguments.plain:
        with tempfile.TemporaryDirectory() as name:
            print(f"the plain script: {plain(arguments.plain, Path(name)):.0f} ms a trial")
