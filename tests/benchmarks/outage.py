"""Whether training is slower while the tracking server is gone: a real `mlflow server`, killed under a sweep.

python -m tests.benchmarks.outage [--seconds 60] [--times 2]

One run of digits. After each stretch with the server comes one without it; the median time
of training an image in either, from the record, and how much of it MLflow had in the end.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.integration.agreement import disagreements
from tests.integration.command import Running, events, gansweep
from tests.tracking.servers import answers, free_port, server, until

# One run that goes on for as long as it takes.
SETTINGS = ("budget.images=4000000", "evaluation.every=3000", "health.diverged=null", "health.lost_coverage=null")


def costs(home: Path, name: str, spans: list[tuple[float, float]]) -> list[float]:
    """Seconds of training an image at each measurement in one of the spans; the first of a run warms up."""
    found = []
    before: dict[int, int] = {}
    for line in events(home, name):
        if line["event"] != "measurement":
            continue
        images = line["images"] - before.get(line["trial"], 0)
        if line["trial"] in before and any(start <= line["time"] <= end for start, end in spans):
            found.append(line["timings"]["train"] / images)
        before[line["trial"]] = line["images"]
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--times", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home, port, name = Path(folder), free_port(), "outage"
        uri = f"http://127.0.0.1:{port}"
        up: list[tuple[float, float]] = []
        down: list[tuple[float, float]] = []
        with ExitStack() as stack:
            stack.enter_context(server(home, port))
            until(lambda: answers(uri))
            changes = [part for setting in SETTINGS for part in ("--set", setting)]
            running = Running(
                home, "run", "digits", *changes, "--concurrency", "1", "--name", name, "--tracking-uri", uri
            )
            running.until(name, lambda lines: sum(line["event"] == "measurement" for line in lines) >= 3)
            for _ in range(arguments.times):
                began = time.time()
                time.sleep(arguments.seconds)
                up.append((began, time.time()))
                stack.close()
                began = time.time()
                time.sleep(arguments.seconds)
                down.append((began, time.time()))
                stack.enter_context(server(home, port))
                until(lambda: answers(uri))
            gansweep(home, "stop", name)
            done = running.wait()
            sent = gansweep(home, "sync", name)
        with_server, without = costs(home, name, up), costs(home, name, down)
        wrong = disagreements(home, name, uri_of_memory=uri)
        ratio = statistics.median(without) / statistics.median(with_server)
        print("| | measurements | training an image, ms |\n|---|---|---|")
        for what, each in (("with the server", with_server), ("without it", without)):
            print(f"| {what} | {len(each)} | {1000 * statistics.median(each):.3f} |")
        print(f"\nratio {ratio:.3f}; exit code {done.code}; sync: {sent.err.strip()}; disagreements: {wrong or 'none'}")
        sys.exit(bool(wrong))
