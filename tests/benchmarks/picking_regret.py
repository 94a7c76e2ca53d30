"""What a pick costs whoever takes it, by rule, on simulated finalists; see README.md, Picking.

python -m tests.benchmarks.picking_regret [RECORD ...] [--times 300] [--seed 0] [--only-recorded]

RECORD: the events.jsonl of sweeps that were picked; finalists are drawn anew from the fresh seeds of theirs.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.picking.outcomes import SeedResult, SeedResults, scores, share
from pipeline.picking.racing import plan
from pipeline.picking.ranking import dominated, ranking
from pipeline.picking.regret import regrets
from tests.benchmarks import former_rule
from tests.benchmarks.picking_statistics import FAILED, recorded_seeds

SAMPLE = 3000


@dataclass(frozen=True)
class Finalist:
    """In truth. noise: a large sample of what its log score is beyond `at` from seed to seed."""

    at: float
    noise: np.ndarray
    healthy: float

    def draw(self, random: np.random.Generator, common: np.ndarray) -> list[SeedResult]:
        values = self.at + random.choice(self.noise, len(common)) + common
        return [
            float(v) if ok else None for v, ok in zip(values, random.random(len(common)) < self.healthy, strict=True)
        ]

    def losses(self, random: np.random.Generator, common: float) -> tuple[float, float]:
        """The expected log score of a new run, and of the worst of three, a failed one included."""
        runs = self.at + random.choice(self.noise, (SAMPLE, 3)) + common * random.normal(size=(SAMPLE, 3))
        worst = float(runs.max(axis=1).mean())
        one, three = self.healthy, self.healthy**3
        return one * float(runs.mean()) + (1 - one) * FAILED, three * worst + (1 - three) * FAILED


@dataclass(frozen=True)
class World:
    """Finalists are drawn anew for each pick. common: the deviation of what a seed does to all of them."""

    name: str
    finalists: Callable[[np.random.Generator], list[Finalist]]
    common: float = 0.0


def synthetic(shape: str, sick: bool = False, count: int = 8) -> Callable[[np.random.Generator], list[Finalist]]:
    """FIDs around 25 by a factor of exp(0.2), whose noise differs: exp(0.05) to exp(0.5) from seed to seed."""

    def made(random: np.random.Generator) -> list[Finalist]:
        found = []
        for _ in range(count):
            kind = shape if shape != "mixed" else str(random.choice(["normal", "good", "bad", "bimodal"]))
            deviation = math.exp(random.uniform(math.log(0.05), math.log(0.5)))
            healthy = float(random.choice([1.0, 1.0, 0.95, 0.8, 0.6])) if sick else 1.0
            noise = deviation * _standard(kind, random)
            found.append(Finalist(math.log(25) + 0.2 * float(random.normal()), noise, healthy))
        return found

    return made


def _standard(kind: str, random: np.random.Generator) -> np.ndarray:
    """A sample of mean 0 and deviation 1. good, bad: a long tail to that side. bimodal: one seed in three is good."""
    if kind == "normal":
        found = random.normal(size=SAMPLE)
    elif kind == "bimodal":
        found = np.where(random.random(SAMPLE) < 1 / 3, -1.0, 0.3) + 0.2 * random.normal(size=SAMPLE)
    else:
        found = random.gamma(1.5, size=SAMPLE) * (1 if kind == "bad" else -1)
    return (found - found.mean()) / found.std()


def of_records(paths: Sequence[Path], count: int = 8) -> Callable[[np.random.Generator], list[Finalist]]:
    """Recorded finalists: their fresh seeds, smoothed by a third of their deviation; `count` of them, drawn."""
    seeds = [found for path in paths for found in recorded_seeds(path)]

    def made(random: np.random.Generator) -> list[Finalist]:
        found = []
        for at in random.choice(len(seeds), min(count, len(seeds)), replace=False):
            values, ended = np.array(seeds[at][0]), seeds[at][1]
            spread = values.std(ddof=1)
            noise = random.choice(values, SAMPLE) + spread / 3 * random.normal(size=SAMPLE)
            found.append(Finalist(float(values.mean()), noise - values.mean(), len(values) / ended))
        return found

    return made


Rule = Callable[[dict[int, list[SeedResult]], int], tuple[int, SeedResults]]


def _regret(whole: dict[int, list[SeedResult]], seeds: int) -> tuple[int, SeedResults]:
    ended = plan(list(whole), {(at, place): v for at, each in whole.items() for place, v in enumerate(each)}, seeds)
    return ranking(ended.outcomes, ended.racing)[0], ended.outcomes


def _former(whole: dict[int, list[SeedResult]], seeds: int) -> tuple[int, SeedResults]:
    outcomes, racing = former_rule.race(whole, seeds)
    return former_rule.ranking(outcomes, racing)[0], outcomes


def _grid(middle: Callable[[Sequence[float]], float]) -> Rule:
    """The share first, then the mean or the median of the healthy seeds, on the full grid."""

    def chosen(whole: dict[int, list[SeedResult]], seeds: int) -> tuple[int, SeedResults]:
        def key(at: int) -> tuple[float, float]:
            found = scores(whole[at])
            return -share(whole[at]), float(middle(found)) if found else math.inf

        return min(whole, key=key), whole

    return chosen


RULES: Mapping[str, Rule] = {
    "expected regret": _regret,
    "former": _former,
    "mean": _grid(np.mean),
    "median": _grid(np.median),
}


@dataclass
class Found:
    """Per pick, in log points: what the choice costs more than the best there was."""

    one: list[float] = field(default_factory=list)
    three: list[float] = field(default_factory=list)
    dominated: list[bool] = field(default_factory=list)
    runs: list[float] = field(default_factory=list)
    said: list[float] = field(default_factory=list)
    best: list[bool] = field(default_factory=list)
    likeliest: list[bool] = field(default_factory=list)


def simulate(world: World, seeds: int, times: int, seed: int) -> dict[str, Found]:
    random = np.random.default_rng(seed)
    kept = {name: Found() for name in RULES}
    for _ in range(times):
        truth = world.finalists(random)
        common = world.common * random.normal(size=seeds)
        whole = {at: finalist.draw(random, common) for at, finalist in enumerate(truth)}
        if not any(scores(each) for each in whole.values()):
            continue
        losses = np.array([finalist.losses(random, world.common) for finalist in truth])
        least = losses.min(axis=0)
        for name, rule in RULES.items():
            chosen, outcomes = rule(whole, seeds)
            found = kept[name]
            found.one.append(losses[chosen, 0] - least[0])
            found.three.append(losses[chosen, 1] - least[1])
            found.dominated.append(any(dominated(outcomes[chosen], other) for other in outcomes.values()))
            found.runs.append(sum(map(len, outcomes.values())) / (len(truth) * seeds))
            if name == "expected regret":
                likely = {at: each.best for at, each in regrets(outcomes, 1).items()}
                found.said.append(likely[chosen])
                found.best.append(chosen == int(losses.sum(axis=1).argmin()))
                found.likeliest.append(likely[chosen] == max(likely.values()))
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", nargs="*", type=Path)
    parser.add_argument("--times", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0, help="of the draws; the constants were chosen at 0")
    parser.add_argument("--only-recorded", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 5, 10])
    arguments = parser.parse_args()
    worlds = (
        []
        if arguments.only_recorded
        else [
            World("log-normal", synthetic("normal")),
            World("skewed, bimodal", synthetic("mixed")),
            World("the same, seeds in common", synthetic("mixed"), common=0.15),
            World("the same, sick seeds", synthetic("mixed", sick=True)),
            World("3 finalists, sick seeds", synthetic("mixed", sick=True, count=3)),
        ]
    )
    if arguments.records:
        worlds.append(World("recorded", of_records(arguments.records)))
    names = list(RULES)
    columns = ["finalists", "seeds", *(f"{name}: one, worst of 3" for name in names), "former less it"]
    columns += ["dominated", "runs", "P(best) said, true", "not the likeliest"]
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for world in worlds:
        for seeds in arguments.seeds:
            kept = simulate(world, seeds, arguments.times, seed=seeds + arguments.seed)
            it, former = kept["expected regret"], kept["former"]
            more = 50 * (np.array(former.one) + former.three - np.array(it.one) - it.three)
            cells = [world.name, str(seeds)]
            cells += [f"{100 * np.mean(kept[name].one):.1f}, {100 * np.mean(kept[name].three):.1f}" for name in names]
            cells += [f"{more.mean():+.1f} +- {more.std(ddof=1) / len(more) ** 0.5:.1f}"]
            cells += [", ".join(f"{np.mean(kept[name].dominated):.1%}" for name in names)]
            cells += [f"{np.mean(it.runs):.0%} ({np.mean(former.runs):.0%})"]
            cells += [f"{np.mean(it.said):.2f}, {np.mean(it.best):.2f}", f"{1 - np.mean(it.likeliest):.0%}"]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
