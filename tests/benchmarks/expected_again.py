"""How often what a search says of its best trial holds (picking/expectation.py), on recorded landscapes.

    python -m tests.benchmarks.expected_again FILE.jsonl [--data digits] [--seeds 30] [--trials 10 20] [--noise 0.2 0.3]

Sweeps are replayed as by search_on_landscape.py, through the real driver, with its rules, rungs and the leader's second
seed. A run ends exactly at what its configuration is worth by the forest, times exp(noise * N(0, 1)), so that the truth
is known: the recorded curve that ended nearest to that, scaled. Searched too good: the logarithm of the truth over the
best trial's tail.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.picking.expectation import expectation
from pipeline.record.log import read
from pipeline.record.measurement import Measurement
from pipeline.record.runs import TAIL
from pipeline.record.state import SweepState
from pipeline.seeds import derive
from pipeline.space.load import load
from tests.benchmarks.health_corpus import SETS
from tests.benchmarks.health_score import FLOORS
from tests.benchmarks.search_on_landscape import Landscape, sweep


@dataclasses.dataclass
class Exact(Landscape):
    """Of which a run ends exactly at what it is drawn to come to."""

    objective: str = ""

    def curve(self, point: dict[str, Any], seed: int) -> list[Measurement]:
        random = np.random.default_rng(derive(seed, json.dumps(sorted(map(str, point.items())))))
        wanted = self.worth(point) + random.normal(0, self.noise)
        found = self.curves[int(np.argmin(np.abs(self.tails - wanted)))]
        ends = [each.metrics[self.objective] for each in found if self.objective in each.metrics][-TAIL:]
        if len(ends) < TAIL:  # it failed
            return found
        factor = math.exp(wanted) / statistics.median(ends)
        return [
            dataclasses.replace(each, metrics={**each.metrics, self.objective: each.metrics[self.objective] * factor})
            if self.objective in each.metrics
            else each
            for each in found
        ]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--data", nargs="+", default=["digits", "ring8", "fashion_mnist"])
    arguments.add_argument("--seeds", type=int, default=30)
    arguments.add_argument("--trials", type=int, nargs="+", default=[10, 20])
    arguments.add_argument("--noise", type=float, nargs="+", default=[0.1, 0.2, 0.3, 0.4])
    given = arguments.parse_args()
    runs = [json.loads(line.replace("NaN", "null")) for line in given.file.read_text().splitlines()]
    print("| data | noise | trials | inside | interval, a factor | searched too good | expected too good |")
    print("|---|---|---|---|---|---|---|")
    for data in given.data:
        mine = [run for run in runs if run["data"] == data and run["measurements"]]
        land = Exact(**vars(Landscape.of(mine, mine[0]["objective"], 0)), objective=mine[0]["objective"])
        for noise in given.noise:
            land.noise = noise
            for trials in given.trials:
                found = [each for seed in range(given.seeds) if (each := of_one(land, data, trials, seed))]
                inside, width, searched, expected = (statistics.fmean(each) for each in zip(*found, strict=True))
                cells = [
                    f"{inside:.0%} of {len(found)}",
                    f"{math.exp(width):.1f}",
                    f"{searched:.2f}",
                    f"{expected:+.2f}",
                ]
                print(f"| {data} | {noise:g} | {trials} | {' | '.join(cells)} |", flush=True)


def of_one(land: Exact, data: str, trials: int, seed: int) -> tuple[bool, float, float, float] | None:
    """Whether the truth is inside, how wide the interval is and how much too good both are; None where none is said."""
    told = [*SETS[data], f"search.trials={trials}", f"search.seed={seed}"]
    with tempfile.TemporaryDirectory() as folder:
        sweep(land.replayed, load(data, told), Path(folder), FLOORS[data])
        state = SweepState.fold(read(Path(folder) / "events.jsonl")[0])
    said, best = expectation(state), state.best_trial
    if said is None or best is None:
        return None
    truth, tail = land.worth(best.point), best.tail(state.metric)
    assert tail is not None
    low, high = map(math.log, said.interval)
    return low <= truth <= high, high - low, truth - math.log(tail), truth - math.log(said.score)


if __name__ == "__main__":
    main()
