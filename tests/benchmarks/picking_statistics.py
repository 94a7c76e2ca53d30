"""What the race and its intervals are worth, by simulation: coverage, runs spent, wrong picks; see README.md.

python -m tests.benchmarks.picking_statistics [RECORD ...]

RECORD: the events.jsonl of sweeps that were picked; means and variances are taken from their fresh seeds.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.picking.intervals import share_interval
from pipeline.picking.outcomes import SeedResult, score_estimates, scores
from pipeline.picking.racing import plan
from pipeline.picking.ranking import ranking
from pipeline.picking.standing import confirmed_score, scale_of
from pipeline.record.log import read
from pipeline.record.state import SweepState

FINALISTS = 8
FAILED = math.log(760.0)  # what a failed run costs in truth
WORST_OF_THREE = 1.5 / math.sqrt(math.pi)  # of a normal distribution, above its mean, in deviations


@dataclass(frozen=True)
class World:
    """What is true of the finalists: mean and standard deviation of the log score, and the share of healthy seeds."""

    name: str
    means: np.ndarray
    deviations: np.ndarray
    shares: np.ndarray

    @property
    def best(self) -> int:
        """Whose loss is the least: half that of a run, half that of the worst of three."""
        one, three = self.shares, self.shares**3
        run = one * self.means + (1 - one) * FAILED
        bad_day = three * (self.means + WORST_OF_THREE * self.deviations) + (1 - three) * FAILED
        return int(np.argmin(run + bad_day))


# Log scores as digits gives them: 18 to 36, by a factor of 1.1 to 1.5 from seed to seed.
_MEANS = np.log(np.array([18.0, 20, 21, 22, 24, 26, 30, 36]))
_UNEQUAL = np.array([0.1, 0.2, 0.15, 0.3, 0.2, 0.12, 0.4, 0.25])
_SICK = np.array([0.95, 1, 0.9, 1, 0.8, 0.95, 1, 0.6])
WORLDS = (
    World("equal noise", _MEANS, np.full(FINALISTS, 0.2), np.ones(FINALISTS)),
    World("unequal noise", _MEANS, _UNEQUAL, np.ones(FINALISTS)),
    World("equal noise, sick seeds", _MEANS, np.full(FINALISTS, 0.2), _SICK),
    World("unequal noise, sick seeds", _MEANS, _UNEQUAL, _SICK),
)


@dataclass(frozen=True)
class Found:
    """covered: share of 95% intervals of mean scores that hold the mean; covered_first: of those ranked first;
    width: their median one, as a factor between the ends; predicted: share of 90% prediction intervals of who came
    first that hold a new seed; shares, share_width: the same of the intervals of healthy shares; spent: runs over
    those of the full grid; wrong: how often another one was picked than the true best, and `wrongs` in which picks."""

    covered: float
    covered_first: float
    width: float
    predicted: float
    shares: float
    share_width: float
    spent: float
    wrong: float
    wrongs: np.ndarray


def simulate(world: World, seeds: int, times: int, seed: int, race: bool = True) -> Found:
    """`times` picks of the world's finalists on `seeds` seeds; race False: the full grid."""
    random = np.random.default_rng(seed)
    count = len(world.means)
    kept: dict[str, list[float]] = {field.name: [] for field in dataclasses.fields(Found) if field.name != "wrongs"}
    for _ in range(times):
        drawn = world.means[:, None] + world.deviations[:, None] * random.normal(size=(count, seeds))
        healthy = random.random((count, seeds)) < world.shares[:, None]
        results: dict[tuple[int, int], SeedResult] = {
            (at, replicate): float(drawn[at, replicate]) if healthy[at, replicate] else None
            for at in range(count)
            for replicate in range(seeds)
        }
        if race:
            ended = plan(range(count), results, seeds)
            assert not ended.wanted
            outcomes, racing = ended.outcomes, ended.racing
        else:
            outcomes = {at: [results[at, replicate] for replicate in range(seeds)] for at in range(count)}
            racing = frozenset(range(count))
        first = ranking(outcomes, racing)[0]
        kept["wrong"].append(first != world.best)
        kept["spent"].append(sum(map(len, outcomes.values())) / (count * seeds))
        for at, estimate in score_estimates(outcomes).items():
            low, high = estimate.interval() or (np.nan, np.nan)
            kept["covered"].append(low <= world.means[at] <= high)
            kept["width"].append(float(np.exp(high - low)))
            if at == first:
                kept["covered_first"].append(low <= world.means[at] <= high)
                ends = estimate.prediction() or (np.nan, np.nan)
                kept["predicted"].append(ends[0] <= random.normal(world.means[at], world.deviations[at]) <= ends[1])
        for at, each in outcomes.items():
            low, high = share_interval(len(scores(each)), len(each))
            kept["shares"].append(low <= world.shares[at] <= high)
            kept["share_width"].append(high - low)
    typical = {"width": np.median}  # of one or two healthy seeds it can be anything
    figures = {name: float(typical.get(name, np.mean)(values)) for name, values in kept.items()}
    return Found(**figures, wrongs=np.array(kept["wrong"], float))


def recorded(paths: list[Path]) -> World:
    """8 finalists with means and deviations of recorded ones, each of 2 healthy fresh seeds or more. Where the records
    have fewer than 8, further ones are between neighbours in rank."""
    seeds = [found for path in paths for found in recorded_seeds(path)]
    found = sorted((statistics.fmean(each), statistics.stdev(each), len(each) / ended) for each, ended in seeds)
    at = np.linspace(0, len(found) - 1, FINALISTS)
    columns = [np.interp(at, range(len(found)), column) for column in zip(*found, strict=True)]
    return World(f"recorded ({len(found)} finalists)", *columns)


def recorded_seeds(path: Path) -> list[tuple[list[float], int]]:
    """Of each finalist with 2 healthy fresh seeds or more: their scores on the scale, and how many seeds ended."""
    state = SweepState.fold(read(path)[0])
    scale = scale_of(state)
    found = []
    for trial in state.trials.values():
        ended = [run for run in trial.confirmations.values() if run.end_reason]
        values = [scale.to(s) for run in ended if (s := confirmed_score(run, state.metric)) is not None]
        if len(values) >= 2:
            found.append((values, len(ended)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", nargs="*", type=Path)
    parser.add_argument("--times", type=int, default=400)
    parser.add_argument("--only-recorded", action="store_true")
    arguments = parser.parse_args()
    worlds = [
        *([] if arguments.only_recorded else WORLDS),
        *([recorded(arguments.records)] if arguments.records else []),
    ]
    columns = ("finalists", "seeds", "score covers (first)", "width", "90% prediction")
    columns += ("share covers", "width", "runs", "wrong pick", "of the grid", "difference, in points")
    print(f"| {' | '.join(columns)} |")
    print("|---" * len(columns) + "|")
    for world in worlds:
        for seeds in (3, 5, 10):
            race = simulate(world, seeds, arguments.times, seed=seeds)
            grid = simulate(world, seeds, arguments.times, seed=seeds, race=False)  # on the same draws
            more = 100 * (race.wrongs - grid.wrongs)
            error = more.std(ddof=1) / len(more) ** 0.5
            print(
                f"| {world.name} | {seeds} | {race.covered:.3f} ({race.covered_first:.3f}) | x {race.width:.2f} "
                f"| {race.predicted:.3f} | {race.shares:.3f} | {race.share_width:.2f} | {race.spent:.0%} "
                f"| {race.wrong:.3f} | {grid.wrong:.3f} | {more.mean():+.1f} +- {error:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
