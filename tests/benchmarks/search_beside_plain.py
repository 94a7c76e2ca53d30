"""What a search finds for its images beside a plain script, on runs that are trained: hours of what
search_on_landscape.py replays in seconds.

    python -m tests.benchmarks.search_beside_plain FOLDER [--data digits] [--seeds 5] [--trials 20]
        [--variant "plain script" "the default"] [--earlier mnist] [--kimg 250 500] [--data-root ROOT] [--table]

The real driver and the real training, two runs at a time in turns by the evaluation, without Ray. What is the best of a
sweep after so many kimg, and at its end, is then trained on 4 further seeds: its confirmed score is their median, a run
that did not come to its end counting as worse than any. Called again with the same FOLDER it goes on; several may be at
work at other seeds. --earlier: the default, which learns from a sweep of other data, too, whose images are not counted.
With --table nothing is trained: it says what is there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from pipeline.drivers.job import Attempt
from pipeline.errors import GansweepError
from pipeline.record.measurement import Measurement
from pipeline.schema.base import parse
from pipeline.schema.trial import TrialSpec, resolve
from pipeline.seeds import run_seed
from pipeline.space.load import SweepFile, load
from pipeline.sweeps.learning import learning
from pipeline.training.attempt import attempt
from pipeline.training.loop import Task
from pipeline.training.store import Store
from tests.benchmarks.health_corpus import SETS
from tests.benchmarks.health_score import FLOORS
from tests.benchmarks.search_on_landscape import VARIANTS, sweep

CACHE = Path(tempfile.gettempdir()) / "gansweep-corpus-cache"
FURTHER, SEEDS = 900_000, 4  # seeds that no search has


def trained(objective: str, root: Path | None, seed: int, spec: dict[str, Any]) -> Iterator[Measurement]:
    with tempfile.TemporaryDirectory() as folder:
        task = Task(resolve(parse(TrialSpec, spec, "spec"), cuda=False), seed, objective)
        yield from attempt(task, Store(Path(folder)), CACHE, root)


def confirmed(path: Path, file: Any, root: Path | None, point: dict[str, Any]) -> float:
    """The median tail on further seeds; kept in a file of its own by the point."""
    name = hashlib.sha256(json.dumps(point, sort_keys=True).encode()).hexdigest()[:16]
    kept = path / "confirmed" / f"{name}.json"
    if not kept.exists():
        objective, tails = file.sweep.objective, []
        for number in range(SEEDS):
            values: list[float] = []
            try:
                for m in trained(objective, root, run_seed(FURTHER, number), file.space.fixed(point)[1]):
                    values.append(m.metrics.get(objective, math.nan))
            except GansweepError:
                values.append(math.nan)
            last = values[-5:]
            tails.append(statistics.median(last) if all(map(math.isfinite, last)) else math.inf)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(tails))
    return statistics.median(json.loads(kept.read_text()))


def preset(data: str) -> tuple[str, list[str]]:
    """Which preset, and what is changed in it."""
    return ("fashion_mnist", [*SETS["fashion_mnist"], "data.name=mnist"]) if data == "mnist" else (data, SETS[data])


def swept(path: Path, about: dict[str, Any], root: Path | None) -> tuple[SweepFile, list[tuple[int, dict[str, Any]]]]:
    """One sweep, whose record is kept; what it learns from, an earlier one of the same kind, is made where it is not
    there."""
    name, changes = preset(about["data"])
    told = [f"search.trials={about['trials']}", f"search.seed={about['seed']}"]
    folder = path / ", ".join(map(str, about.values()))
    if earlier := about.get("earlier"):
        another = {**about, "data": earlier, "variant": "the default"}
        del another["earlier"]
        there = path / ", ".join(map(str, another.values()))
        if not (there / "steps.json").exists():
            swept(path, another, root)
        with tempfile.TemporaryDirectory() as home:
            shutil.copytree(there, Path(home) / earlier)
            asked = load(name, [*changes, *told, f"search.learn_from=[{earlier}]"])
            file = learning(asked, Path(home) / "s")
    else:
        file = load(name, [*changes, *VARIANTS[about["variant"]], *told])
    learn = partial(trained, file.sweep.objective, root)

    def curve(run: Attempt, point: dict[str, Any], spec: dict[str, Any]) -> Iterator[Measurement]:
        return learn(run.seed, spec)

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    steps = sweep(curve, file, folder, FLOORS[name])
    (folder / "steps.json").write_text(json.dumps(steps))
    return file, steps


def search(path: Path, about: dict[str, Any], kimg: list[float], root: Path | None) -> None:
    """One sweep and what its bests are worth; kept."""
    kept = path / f"{', '.join(map(str, about.values()))}.json"
    if kept.exists():
        return
    file, steps = swept(path, about, root)
    said: list[float] = []
    for images in [*(1000 * each for each in kimg), math.inf]:
        before = [point for at, point in steps if at <= images]
        said.append(confirmed(path, file, root, before[-1]) if before else math.inf)
    kept.write_text(json.dumps({**about, "kimg": [*kimg, steps[-1][0] / 1000], "confirmed": said}))
    print(f"{kept.stem}: {steps[-1][0] / 1000:.0f} kimg, {said}", flush=True)


def table(path: Path, data: str) -> None:
    """By the images that were spent: the confirmed score of what was then the best, over the sweeps' seeds."""
    sweeps = [json.loads(each.read_text()) for each in sorted(path.glob(f"{data}, *.json"))]
    print("| search | sweeps | " + " | ".join(f"{each:g} kimg" for each in sweeps[0]["kimg"][:-1]), end="")
    print(" | at its end | its kimg |")
    print("|---|---|" + "---|" * len(sweeps[0]["kimg"]) + "---|")
    for name in dict.fromkeys(each["variant"] for each in sweeps):
        mine = [each for each in sweeps if each["variant"] == name]
        cells = [
            f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"
            for values in zip(*(each["confirmed"] for each in mine), strict=True)
        ]
        spent = statistics.median(each["kimg"][-1] for each in mine)
        print(f"| {name} | {len(mine)} | {' | '.join(cells)} | {spent:.0f} |")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--data", default="digits")
    arguments.add_argument("--seeds", type=int, nargs="+", default=list(range(5)))
    arguments.add_argument("--trials", type=int, default=20)
    arguments.add_argument("--variant", nargs="+", default=["plain script", "the default"])
    arguments.add_argument("--earlier", nargs="*", default=[])
    arguments.add_argument("--data-root", type=Path)
    arguments.add_argument("--kimg", type=float, nargs="+", default=[250, 500])
    arguments.add_argument("--table", action="store_true")
    given = arguments.parse_args()
    if given.table:
        table(given.folder, given.data)
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    for seed in given.seeds:
        for name in given.variant:
            about = {"data": given.data, "variant": name, "trials": given.trials, "seed": seed}
            search(given.folder, about, given.kimg, given.data_root)
        for earlier in given.earlier:
            name = f"learns from {earlier}"
            about = {"data": given.data, "variant": name, "trials": given.trials, "seed": seed, "earlier": earlier}
            search(given.folder, about, given.kimg, given.data_root)


if __name__ == "__main__":
    main()
