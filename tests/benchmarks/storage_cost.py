"""What a sweep costs more whose bucket is all that is kept, than in a folder of this machine: a real S3 (moto's) that
answers each request some milliseconds late, as one across a city does.

python -m tests.benchmarks.storage_cost [--delay 30] [--times 2] [--trials 4]

One run at a time. Seconds a run that are neither training nor evaluation, from the record: between its measurements,
and from its end to the next one's beginning; the same sweep in turns in a folder and in the bucket.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from pipeline.record.events import Line
from pipeline.schema.health import DEFAULT_RULES
from tests import s3
from tests.integration.command import events, gansweep

# Some ten seconds a run, which ends by itself.
RUNS = ("digits", "--seed", "3", "--concurrency", "1", "--set", "budget.images=30000", "--set", "evaluation.every=3000")
KEPT = [part for rule in DEFAULT_RULES for part in ("--set", f"health.{rule}=null")]
KEPT += ["--set", "rungs.enabled=false"]


def besides(lines: list[Line]) -> tuple[float, float]:
    """Seconds a run, as it says of itself, and what there was besides."""
    runs = [line for line in lines if line["event"] == "run_ended"]
    own = [line["seconds"] for line in lines if line["event"] == "measurement"]
    of_runs = sum(now for now, after in zip(own, [*own[1:], 0.0], strict=True) if after < now)
    begun = next(line["time"] for line in lines if line["event"] == "measurement") - own[0]
    return of_runs / len(runs), (runs[-1]["time"] - begun - of_runs) / len(runs)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--delay", type=float, default=30.0)
    arguments.add_argument("--times", type=int, default=2)
    arguments.add_argument("--trials", type=int, default=4)
    given = arguments.parse_args()
    found: dict[str, list[tuple[float, float]]] = {"folder": [], "bucket": []}
    with tempfile.TemporaryDirectory() as folder, s3.running() as server:
        for time in range(given.times):
            for where in found:
                home = Path(folder) / f"{where}-{time}"
                server.late = given.delay / 1000
                there = ("--storage", f"s3://{s3.BUCKET}/{time}") if where == "bucket" else ()
                done = gansweep(home, "run", *RUNS, *KEPT, "--trials", str(given.trials), "--name", "s", *there)
                assert done.code == 0, done.err
                found[where].append(besides(events(home, "s")))
                print(f"{where}: a run {found[where][-1][0]:.1f} s, besides {found[where][-1][1]:.2f} s", flush=True)
        server.late = 0.0
    more = statistics.median(each for _, each in found["bucket"]) - statistics.median(
        each for _, each in found["folder"]
    )
    long = statistics.median(each for each, _ in [*found["bucket"], *found["folder"]])
    print(f"the bucket costs {more:.2f} s a run of {long:.1f} s: {more / long:.1%}; at 10 s a run {more / 10:.1%}")


if __name__ == "__main__":
    main()
