"""What a search finds for its images, replayed through the real driver on recorded runs (health_corpus.py): seconds for
what would take hours.

    python -m tests.benchmarks.search_on_landscape FILE.jsonl [--data digits] [--seeds 20] [--trials 20]

A configuration is worth what a random forest says that was fitted to the recorded runs' last tails (their logarithm,
failures as ten times a good one), and its run is the recorded curve that ended nearest to that, with the forest's error
of a seed added: so curves, noise, health rules and rungs are real, and only which configuration has which curve is not.
confirmed: what the forest says of the winner, without the noise that made it one. images: those that were trained.
The plain script beside it is TPE without a prior whose rungs compare last values as they are, and no health rule.
--earlier: the default learns from a sweep of 20 trials on each of these, too; their images are not counted.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from pipeline.drivers.driver import Assignment
from pipeline.drivers.job import Attempt
from pipeline.drivers.nodes import Node, Nodes
from pipeline.drivers.search import SearchDriver
from pipeline.record.log import Record
from pipeline.record.measurement import Measurement
from pipeline.schema.health import DEFAULT_RULES
from pipeline.seeds import derive
from pipeline.space.load import SweepFile, load
from pipeline.sweeps.learning import learning
from tests.benchmarks.health_corpus import SETS
from tests.benchmarks.health_score import FLOORS, _numbers

WORKERS, LEARNING = 2, "learning"
UNKNOWING = ["search.prior=null", "search.experience=false", "search.promote=null"]
VARIANTS: dict[str, list[str]] = {
    "plain script": [
        *UNKNOWING,
        *("rungs.errors=0", "rungs.reduction=4"),
        *(f"health.{rule}=null" for rule in DEFAULT_RULES),
    ],
    "random, rungs": ["search.sampler=random"],
    "tpe": UNKNOWING,
    "prior alone": ["search.experience=false"],
    "experience alone": ["search.prior=null"],
    "the default": [],
    "no promotion": ["search.promote=null"],
    "errors 0": ["rungs.errors=0"],
    "promote 3": ["search.promote={seeds: 3, top: 0.1}"],
    "experience, promote 3": ["search.prior=null", "search.promote={seeds: 3, top: 0.1}"],
    "experience, promote 2": ["search.prior=null", "search.promote={seeds: 2, top: 0.2}"],
}
Curve = Callable[[Attempt, dict[str, Any], dict[str, Any]], Iterator[Measurement]]  # of a run, its point and spec


@dataclass
class Landscape:
    """The recorded runs of one data set, and what a configuration would be worth."""

    curves: list[list[Measurement]]
    tails: np.ndarray  # logarithms of the last ones
    names: list[str]
    forest: RandomForestRegressor
    noise: float  # standard deviation of a seed, of the logarithm

    @classmethod
    def of(cls, runs: list[dict[str, Any]], objective: str, seed: int) -> Landscape:
        curves = [[Measurement.from_dict(_numbers(m)) for m in run["measurements"]] for run in runs]
        ends = [[m.metrics[objective] for m in curve if objective in m.metrics][-5:] for curve in curves]
        whole = [
            len(end) == 5 and run["measurements"][-1]["images"] >= run["budget"]
            for run, end in zip(runs, ends, strict=True)
        ]
        worst = 10 * max(statistics.median(end) for end, there in zip(ends, whole, strict=True) if there)
        tails = np.log([statistics.median(end) if there else worst for end, there in zip(ends, whole, strict=True)])
        points = [features(run["point"]) for run in runs]
        names = sorted({name for point in points for name in point})
        forest = RandomForestRegressor(300, min_samples_leaf=2, oob_score=True, random_state=seed, n_jobs=1)
        forest.fit(rows(points, names), tails)
        left = np.abs(forest.oob_prediction_ - tails)
        return cls(curves, tails, names, forest, float(np.median(left[tails < np.median(tails)])) / 2)

    def worth(self, point: dict[str, Any]) -> float:
        row = rows([features(point)], self.names).astype(np.float32)
        return statistics.fmean(float(tree.tree_.predict(row)[0, 0]) for tree in self.forest.estimators_)

    def curve(self, point: dict[str, Any], seed: int) -> list[Measurement]:
        """A recorded one, of those that ended nearest to what a seed of the configuration would come to."""
        random = np.random.default_rng(derive(seed, json.dumps(sorted(map(str, point.items())))))
        wanted = self.worth(point) + random.normal(0, self.noise)
        nearest = np.argsort(np.abs(self.tails - wanted))[:2]
        return self.curves[int(random.choice(nearest))]

    def replayed(self, run: Attempt, point: dict[str, Any], spec: dict[str, Any]) -> Iterator[Measurement]:
        return iter(self.curve(point, run.seed))


def features(point: dict[str, Any]) -> dict[str, float]:
    """Rates and weights by their logarithms, the discriminator's rate as a ratio, an option as a name of its own."""
    found = dict(point)
    if "optimiser.lr_d" in found:
        found["optimiser.lr_ratio"] = found.pop("optimiser.lr_d") / found["optimiser.lr_g"]
    said: dict[str, float] = {}
    for name, value in found.items():
        if isinstance(value, str) or value is None or isinstance(value, bool):
            said[f"{name}={value}"] = 1.0
        else:
            said[name] = math.log(value) if value > 0 and name.split(".")[-1] not in ("beta1", "beta2") else value
    return said


def rows(points: list[dict[str, float]], names: list[str]) -> np.ndarray:
    return np.array([[point.get(name, 0.0) for name in names] for point in points])


def sweep(curve: Curve, file: SweepFile, folder: Path, floor: tuple[float, float]) -> list[tuple[int, dict[str, Any]]]:
    """After each run's end: the images that were trained so far, and what is then the best."""
    seed = file.sweep.search.seed
    record = Record(folder / "events.jsonl")
    spec = file.sweep.model_dump(mode="json")
    lines = [
        record.append("sweep", name="s", source="s", space=file.tree, spec=spec, seed=seed, versions={}),
        record.append("driver", session="s", state="started"),
        record.append(
            "prepared",
            data={"name": "d", "fingerprint": "x"},
            floor={file.sweep.objective: floor[0]},
            floor_spread={file.sweep.objective: floor[1]},
        ),
    ]
    given = Assignment(folder, record, lines, file, Nodes([Node("", "here", WORKERS)]))
    driver = SearchDriver(given, file.sweep.search.trials, cuda=False)
    live: list[tuple[Attempt, Iterator[Measurement]]] = []
    path: list[tuple[int, dict[str, Any]]] = []
    while True:
        while (job := driver.next_job()) is not None:
            (run,) = job.runs
            driver.started(run)
            trial = driver.state.trials[run.trial]
            live.append((run, curve(run, trial.point, trial.spec)))
        if not live:
            break
        run, ahead = live.pop(0)
        measured = next(ahead, None)
        if measured is None:
            driver.ended(run, "completed", {})
        if measured is not None and driver.measured(run, measured):
            live.append((run, ahead))
        elif driver.state.best_trial is not None:
            path.append((sum(each.images for each in driver.state.runs), driver.state.best_trial.point))
    record.close()
    return path


def learning_from(earlier: dict[str, Landscape], data: str, told: list[str], home: Path, seed: int) -> SweepFile:
    """The file of a sweep that learns from others, which are then in that home."""
    for name, land in earlier.items():
        (home / name).mkdir()
        file = load(name, [*SETS[name], "search.trials=20", f"search.seed={1000 + seed}"])
        sweep(land.replayed, file, home / name, FLOORS[name])
    asked = f"search.learn_from=[{', '.join(earlier)}]"
    return learning(load(data, [*told, asked]), home / "s") if earlier else load(data, told)


def at(path: list[tuple[int, float]], images: float) -> float:
    """What the best was worth when so many images were trained; of a sweep that had no best by then, its first."""
    before = [worth for spent, worth in path if spent <= images]
    return before[-1] if before else path[0][1]


def reached(path: list[tuple[int, float]], worth: float) -> float:
    """The images after which what is the best is worth so much or less, and stays so; infinity where it never is."""
    found = math.inf
    for spent, value in path:
        found = min(found, spent) if value <= worth else math.inf
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--data", nargs="+", default=["digits", "ring8", "fashion_mnist"])
    arguments.add_argument("--seeds", type=int, default=20)
    arguments.add_argument("--trials", type=int, nargs="+", default=[10, 20, 40, 60])
    arguments.add_argument("--variant", nargs="+", default=list(VARIANTS))
    arguments.add_argument("--earlier", nargs="*", default=[])
    given = arguments.parse_args()
    runs = [json.loads(line.replace("NaN", "null")) for line in given.file.read_text().splitlines()]

    def landscape(data: str) -> tuple[Landscape, list[dict[str, Any]]]:
        mine = [run for run in runs if run["data"] == data and run["measurements"]]
        return Landscape.of(mine, mine[0]["objective"], 0), mine

    earlier = {name: landscape(name)[0] for name in given.earlier}
    variants = [*given.variant, *([LEARNING] if earlier else [])]
    for data in given.data:
        land, mine = landscape(data)
        points = [run["point"] for run in mine]
        best = sorted(math.exp(land.worth(point)) for point in points)
        print(f"\n{data}: {len(mine)} runs, noise of a seed {land.noise:.2f}, best {best[0]:.3g}, good {best[3]:.3g}")
        paths: dict[str, list[list[tuple[int, float]]]] = {}
        for name in variants:
            others = earlier if name == LEARNING else {}
            for seed in range(given.seeds):
                more = [*VARIANTS.get(name, []), f"search.trials={max(given.trials)}", f"search.seed={seed}"]
                with tempfile.TemporaryDirectory() as home:
                    file = learning_from(others, data, [*SETS[data], *more], Path(home), seed)
                    (Path(home) / "s").mkdir()
                    found = sweep(land.replayed, file, Path(home) / "s", FLOORS[data])
                paths.setdefault(name, []).append([(images, math.exp(land.worth(point))) for images, point in found])
        plain = paths[given.variant[0]]
        rate = statistics.fmean(path[-1][0] for path in plain) / max(given.trials)
        print(
            "| search | "
            + " | ".join(f"{n * rate / 1000:.0f} kimg" for n in given.trials)
            + " | images to a good one (k) |"
        )
        print("|---|" + "---|" * (len(given.trials) + 1))
        for name, theirs in paths.items():
            cells = []
            for count in given.trials:
                values = [at(path, count * rate) for path in theirs]
                low, middle, high = statistics.quantiles(values, n=4)
                cells.append(
                    f"{middle:.3g} ({low:.3g} to {high:.3g}), mean {statistics.fmean(map(math.log, values)):.2f}"
                )
            there = statistics.median(reached(path, best[3] * 1.15) for path in theirs)
            print(f"| {name} | " + " | ".join(cells) + f" | {there / 1000:.0f} |", flush=True)


if __name__ == "__main__":
    main()
