"""What a run costs beside its training: evaluation's share of the time at the presets' defaults, and peak memory.

python -m tests.benchmarks.run_cost [FOLDER OF THE DATA SETS]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline.schema.trial import resolve
from pipeline.space.load import load_trial
from pipeline.training.attempt import attempt
from pipeline.training.loop import Task

ROOT = Path(__file__).resolve().parents[2]
EVALUATIONS = {"digits": 6, "ring8": 6, "grid25": 6, "fashion_mnist": 4}  # the first one warms up and is left out


def shares(preset: str, home: Path, data: Path, folder: Path) -> str:
    """One row: mean times between and at evaluations, and their shares."""
    import torch

    from pipeline.training.store import Store

    torch.set_num_threads(1)
    spec, sweep, _ = load_trial(preset)
    found = []
    task = Task(resolve(spec, cuda=False), 0, sweep.objective)
    for measurement in attempt(task, Store(folder), home / "cache", data):
        found.append(measurement.timings)
        if len(found) == EVALUATIONS[preset]:
            break
    spent = {name: [timings[name] for timings in found[1:]] for name in ("train", "evaluate", "checkpoint")}
    total = sum(map(sum, spent.values()))
    cells = [f"{1000 * sum(values) / len(values):,.0f}" for values in spent.values()]
    share = sum(spent["evaluate"]) / total
    beside = 1 - sum(spent["train"]) / total
    return f"| {preset} | {spec.evaluation.every:,} | {' | '.join(cells)} | {share:.1%} | {beside:.1%} |"


def peak(home: Path, data: Path, folder: Path) -> float:
    """The largest resident set of `gansweep train fashion_mnist --budget 50000`, in GiB."""
    command = [sys.executable, "-m", "pipeline.cli", "train", "fashion_mnist", "--budget", "50000"]
    places = ["--data-root", str(data), "--home", str(home), "-o", str(folder), "--json"]
    process = subprocess.Popen([*command, *places], cwd=ROOT, stdout=subprocess.PIPE, env=os.environ)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"train ended with {process.returncode}")
    json.loads(said)
    return float(usage.ru_maxrss) / 2**20


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    given = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("GANSWEEP_TEST_DATA", ROOT.parent / "shared" / "data")
    data = Path(given).resolve()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        cold = peak(home, data, home / "cold")
        print("| fashion_mnist, 50,000 images | peak memory, GiB |\n|---|---|")
        print(f"| first on the machine: decodes the data, trains the extractor | {cold:.2f} |")
        print(f"| any other | {peak(home, data, home / 'warm'):.2f} |\n", flush=True)
        print("| | images between | training, ms | evaluation, ms | checkpoint, ms | evaluation | all but training |")
        print("|---|---|---|---|---|---|---|")
        for preset in EVALUATIONS:
            print(shares(preset, home, data, home / preset), flush=True)
