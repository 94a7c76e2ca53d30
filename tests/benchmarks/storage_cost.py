"""What a sweep costs more whose bucket is all that is kept, than in a folder of this machine: a real S3 (moto's) that
answers each request some milliseconds late, as one across a city does.

python -m tests.benchmarks.storage_cost [--delay 30] [--times 2] [--trials 4]

One run at a time, the same sweep in turns in a folder and in the bucket. Seconds a run that are neither training nor
evaluation, from the record: between its measurements, where a worker waits for the bucket, and from its last one to the
next run's beginning, where the driver waits for its record too.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from pipeline.record.events import Line
from pipeline.record.segments import FOLDER
from pipeline.schema.health import DEFAULT_RULES
from pipeline.storage.storage import opened
from tests import s3
from tests.integration.command import events, gansweep

# Some ten seconds a run, which ends by itself.
RUNS = ("digits", "--seed", "3", "--concurrency", "1", "--set", "budget.images=30000", "--set", "evaluation.every=3000")
KEPT = [part for rule in DEFAULT_RULES for part in ("--set", f"health.{rule}=null")]
BEGINNING = 4  # segments: the sweep, its driver twice, what was prepared
KEPT += ["--set", "rungs.enabled=false"]


@dataclass(frozen=True)
class Cost:
    """Seconds a run."""

    own: float  # as it says of itself
    within: float  # besides, from its beginning to its last measurement
    between: float  # from there to the beginning of the next one


def cost(lines: list[Line]) -> Cost:
    runs: list[list[Line]] = []
    for line in lines:
        if line["event"] == "attempt":
            runs.append([])
        elif line["event"] == "measurement":
            runs[-1].append(line)
    begun = [run[0]["time"] - run[0]["seconds"] for run in runs]
    own = sum(run[-1]["seconds"] for run in runs)
    lasted = sum(run[-1]["time"] - start for run, start in zip(runs, begun, strict=True))
    gaps = sum(start - run[-1]["time"] for run, start in zip(runs, begun[1:], strict=False))
    return Cost(own / len(runs), (lasted - own) / len(runs), gaps / (len(runs) - 1))


def record(url: str, runs: int) -> float:
    """Seconds a run for which the driver waits for its segments, but for those of its beginning and end."""
    storage = opened(url)
    sizes = [len(storage.get(name)) for name in storage.names(FOLDER)][BEGINNING:]
    took = []
    for number, size in enumerate(sizes):
        began = monotonic()
        storage.put_if_absent(f"timed/{number}", b"x" * size)
        took.append(monotonic() - began)
    return statistics.median(took) * len(took) / runs


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--delay", type=float, default=30.0)
    arguments.add_argument("--times", type=int, default=2)
    arguments.add_argument("--trials", type=int, default=4)
    given = arguments.parse_args()
    found: dict[str, list[Cost]] = {"folder": [], "bucket": []}
    with tempfile.TemporaryDirectory() as folder, s3.running() as server:
        for time in range(given.times):
            for where in found:
                home = Path(folder) / f"{where}-{time}"
                server.late = given.delay / 1000
                there = ("--storage", f"s3://{s3.BUCKET}/{time}") if where == "bucket" else ()
                done = gansweep(home, "run", *RUNS, *KEPT, "--trials", str(given.trials), "--name", "s", *there)
                assert done.code == 0, done.err
                now = cost(events(home, "s"))
                found[where].append(now)
                if there:
                    print(f"the record alone: {record(f'{there[1]}/s', given.trials):.2f} s a run")
                print(f"{where}: runs of {now.own:.1f} s, {now.within:.2f} s in and {now.between:.2f} s between them")
        server.late = 0.0
    long = statistics.median(each.own for each in [*found["bucket"], *found["folder"]])
    for name in ("within", "between"):
        there, here = (
            statistics.median(getattr(each, name) for each in found[where]) for where in ("bucket", "folder")
        )
        more = there - here
        print(f"the bucket costs {more:.2f} s {name} runs of {long:.1f} s: {more / long:.1%}; of 10 s {more / 10:.1%}")


if __name__ == "__main__":
    main()
