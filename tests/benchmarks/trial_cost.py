"""What a trial costs besides its training: no-op trials through the whole path, beside the plain script.

python -m tests.benchmarks.trial_cost [--trials 200] [--sampler tpe] [--plain 60]

Wall clock from the end of trial A to the end of trial B, two actors, one measurement each, tracking on SQLite; memory
of the driver at both. A no-op trial is a run whose training yields a measurement at once: all else is the product.
"""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from pipeline.measurement import Measurement
from pipeline.runs import Job

ROOT = Path(__file__).resolve().parents[2]
BUDGET = 1000
# No tracker keeps up with no-op trials on purpose: it is a thread that catches up, and shows its backlog.
TIMED = ("pipeline.driver.Driver._propose", "pipeline.record.Record.append", "pipeline.driver.Driver.measured")


def value(spec: dict[str, Any]) -> float:
    """What a configuration is worth, without training it."""
    return 20.0 + abs(float(spec["optimiser"]["lr_g"]) - 1e-3) * 1e4


def sweep(trials: int, sampler: str, home: Path) -> dict[str, Any]:
    """Runs it in this process; what it took."""
    from pipeline.cluster import launch
    from pipeline.sweep import Sweep

    class NoOp(launch.Run):
        def _start(self, job: Job) -> Iterator[Measurement]:
            signals = {"finite": 1.0, "diversity_ratio": 0.9, "coverage": 0.5, "sample_variance_ratio": 1.0}
            yield Measurement(BUDGET, {"fid": value(job.spec)}, signals, 0.0, {"train": 0.0})

    launch.Run = NoOp  # type: ignore[misc]
    spent = dict.fromkeys(TIMED, 0.0)
    memory: list[tuple[float, int]] = []
    ends: list[float] = []
    for name in TIMED:
        measure(name, spent)
    made = Sweep.from_file(
        "digits",
        [f"budget.images={BUDGET}", f"evaluation.every={BUDGET}", f"search.sampler={sampler}"],
        name="noop",
        home=home,
        trials=trials,
        concurrency=2,
    )
    me = psutil.Process()
    marks: dict[int, dict[str, Any]] = {}

    def watch(driver: Any, backlog: Callable[[], int]) -> Any:
        def look(line: dict[str, Any]) -> None:
            if line["event"] == "run_ended":
                ends.append(time.perf_counter())
                if len(ends) % 50 == 0:
                    cpu = me.cpu_times()
                    marks[len(ends)] = {
                        "time": ends[-1],
                        "rss": me.memory_info().rss / 2**20,
                        "spent": dict(spent),
                        "cpu": cpu.user + cpu.system,
                        "backlog": backlog(),
                    }

        driver._record.listen(look)
        from contextlib import nullcontext

        return nullcontext()

    made.run(watch)
    return {"marks": marks, "torch": "torch" in sys.modules, "ends": ends}


def measure(name: str, spent: dict[str, float]) -> None:
    import importlib

    module, kind, method = name.rsplit(".", 2)
    owner = getattr(importlib.import_module(module), kind)
    real = getattr(owner, method)

    @functools.wraps(real)
    def timed(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return real(*args, **kwargs)
        finally:
            spent[name] += time.perf_counter() - began

    setattr(owner, method, timed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--sampler", default="tpe")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = sweep(a.trials, a.sampler, Path(name))
    marks = found["marks"]
    keys = sorted(marks)
    for x, y in zip(keys, keys[1:]):
        m, n = marks[x], marks[y]
        d = y - x
        print(
            f"{x}-{y}: {1000 * (n['time'] - m['time']) / d:.1f} ms/trial cpu {1000 * (n['cpu'] - m['cpu']) / d:.1f} rss {m['rss']:.1f}->{n['rss']:.1f} backlog {n['backlog']}",
            {k.rsplit(".", 1)[1]: round(1000 * (n["spent"][k] - m["spent"][k]) / d, 1) for k in TIMED},
        )
    print("torch in driver", found["torch"])
