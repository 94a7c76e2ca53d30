"""A short training in a process of its own, for what --dry-run says about time and disk."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.children import python
from pipeline.deadline import HUNG, VARIABLE, bounded, deadline, hung
from pipeline.errors import GansweepError, InputError
from pipeline.schema.trial import TrialSpec
from pipeline.training.attempt import attempt
from pipeline.training.loop import Task

SECONDS = 5.0
EVERY = 2_000  # images between the probe's evaluations


def probe(
    spec: TrialSpec, objective: str, cache: Path, root: str | None, to_build: Sequence[TrialSpec] = ()
) -> dict[str, Any]:
    """{images_per_second, evaluation_seconds, checkpoint_bytes, gpus, cpus} of one run on one thread, and the {data,
    features} that it found, as prepare() says them.

    Raises InputError for data that cannot be had, and for one of `to_build` that cannot be built, as a sweep would.
    """
    order = {
        "spec": spec.model_dump(mode="json"),
        "to_build": [each.model_dump(mode="json") for each in to_build],
        "objective": objective,
        "cache": str(cache.absolute()),
        "root": root,
    }
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / HUNG
        done = subprocess.run(
            python("-m", "pipeline.conformance.probe"),
            input=json.dumps(order | {"hung": str(file), "within": deadline()}),
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=False,
        )
        said_hung = hung(file)
    if said_hung is not None:
        raise GansweepError(f"a short training {said_hung} ({VARIABLE}: seconds)")
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        said = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise InputError(f"the probe failed: {said}")
    probed: dict[str, Any] = json.loads(lines[-1])
    if "error" in probed:
        raise InputError(probed["error"])
    return probed | {"cpus": len(os.sched_getaffinity(0))}  # gpus: by the process that may import torch


def _main() -> None:
    order = json.loads(sys.stdin.read())
    with bounded(order["within"], Path(order["hung"])):
        _train(order)


def _train(order: dict[str, Any]) -> None:
    """Trains what is ordered, with evaluations close together, until SECONDS are over."""
    from pipeline.conformance.preflight import preflight
    from pipeline.schema.base import parse
    from pipeline.training.attempt import prepared_data
    from pipeline.training.store import Store

    tree = order["spec"]
    tree["evaluation"]["every"] = min(tree["evaluation"]["every"], EVERY)
    root = Path(order["root"]) if order["root"] else None
    with tempfile.TemporaryDirectory() as folder:
        try:
            data, features = prepared_data(parse(TrialSpec, tree, "probe"), Path(order["cache"]), root)
            preflight([parse(TrialSpec, each, "") for each in order["to_build"]], Path(order["cache"]), root)
            measurements = []
            task = Task(parse(TrialSpec, tree, "probe"), 0, order["objective"])
            for measurement in attempt(task, Store(Path(folder)), Path(order["cache"]), root):
                measurements.append(measurement)
                if measurement.seconds > SECONDS:
                    break
        except InputError as error:
            print(json.dumps({"error": str(error)}))
            return
        size = max(path.stat().st_size for path in Path(folder).rglob("*.pt"))
    import torch

    steady = measurements[1:] or measurements  # the first one warms up
    images = steady[-1].images - (measurements[0].images if len(measurements) > 1 else 0)
    print(
        json.dumps(
            {
                "images_per_second": images / sum(m.timings["train"] for m in steady),
                "evaluation_seconds": statistics.median(m.timings["evaluate"] for m in steady),
                "checkpoint_bytes": size,
                "data": data,
                "features": features,
                "gpus": torch.cuda.device_count(),
            }
        )
    )


if __name__ == "__main__":
    _main()
