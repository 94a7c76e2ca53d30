"""Random configurations trained to their end with nothing that stops them: the curves that health rules are judged by.

    python tests/benchmarks/health_corpus.py FILE.jsonl [--data digits] [--runs 40] [--data-root FOLDER]

A line a run is added to FILE: {data, source, number, spec, seconds, budget, measurements}. Half of the configurations
are drawn from the preset's whole ranges, half with rates within a decade of what is known to train ("near"); run again,
it goes on with what is missing. tests/benchmarks/health_score.py says what rules make of them.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

for pin in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[pin] = "1"

from pipeline.errors import GansweepError  # noqa: E402
from pipeline.record.log import dumps  # noqa: E402
from pipeline.schema.base import parse  # noqa: E402
from pipeline.schema.trial import TrialSpec, resolve  # noqa: E402
from pipeline.search.sampler import Sampler  # noqa: E402
from pipeline.seeds import run_seed  # noqa: E402
from pipeline.space.load import load  # noqa: E402
from pipeline.training.attempt import attempt  # noqa: E402
from pipeline.training.loop import Task  # noqa: E402
from pipeline.training.store import Store  # noqa: E402

SETS: dict[str, list[str]] = {  # by preset, what is shortened
    "digits": ["budget.images=90000", "evaluation.every=4500"],
    "ring8": ["budget.images=240000", "evaluation.every=12000"],
    "grid25": ["budget.images=300000", "evaluation.every=15000"],
    "fashion_mnist": [
        *("budget.images=60000", "evaluation.every=3000", "evaluation.samples=500", "data.resolution=16"),
        *("generator.width=24", "discriminator.width=24"),
    ],
}
RATE = "optimiser.lr_g={log: [5e-5, 2e-3]}"
NEAR = {data: [RATE, "optimiser.lr_ratio={log: [0.2, 5]}"] for data in SETS}
NEAR["digits"] = [RATE, "optimiser.lr_d={log: [5e-5, 2e-3]}"]  # which searches no ratio
SEED = 20261128


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--data", nargs="+", default=list(SETS))
    arguments.add_argument("--runs", type=int, default=40)
    arguments.add_argument("--data-root", type=Path)
    given = arguments.parse_args()
    lines = given.file.read_text().splitlines() if given.file.exists() else []
    there = {tuple(map(json.loads(line).get, ("data", "source", "number"))) for line in lines}
    for number in range(given.runs):
        for data in given.data:
            source = "near" if number % 2 else "wide"
            if (data, source, number) not in there:
                found = run(data, source, number, given.data_root)
                with given.file.open("a") as file:
                    file.write(dumps(found) + "\n")
                print(data, source, number, f"{found['seconds']:.0f} s", found["error"] or "", flush=True)


def run(data: str, source: str, number: int, root: Path | None) -> dict[str, Any]:
    """One configuration, to its end."""
    file = load(data, [*SETS[data], *(NEAR[data] if source == "near" else [])])
    search = file.sweep.search.model_copy(update={"sampler": "random", "seed": SEED + number})
    point, _ = Sampler(file.space, search, file.metric.minimise).ask(0)
    spec = resolve(parse(TrialSpec, file.space.fixed(point)[1], data), cuda=False)
    began, measurements, error = time.monotonic(), [], None
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(tempfile.gettempdir()) / "gansweep-corpus-cache"
        runs = attempt(Task(spec, run_seed(SEED, number), file.sweep.objective), Store(Path(folder)), cache, root)
        try:
            for m in runs:
                measurements.append({**m.as_dict(), "checkpoint": None, "samples": None, "notices": []})
        except GansweepError as failed:
            error = str(failed)
    return {
        "data": data,
        "source": source,
        "number": number,
        "objective": file.sweep.objective,
        "point": point,
        "budget": spec.budget.images,
        "seconds": time.monotonic() - began,
        "error": error,
        "measurements": measurements,
    }


if __name__ == "__main__":
    main()
