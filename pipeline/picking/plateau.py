"""How far each parameter of a pick's winner can be moved before it breaks: what its neighbours came to."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pipeline.picking.intervals import Interval, Scale, estimates, share_interval
from pipeline.picking.standing import FRESH, confirmed_score
from pipeline.picking.verdict import Difference, difference, standing
from pipeline.record.state import SweepState
from pipeline.record.trials import Trial
from pipeline.seeds import run_seed
from pipeline.space.distributions import is_number
from pipeline.space.tree import dotted

Found = Literal["holds", "better", "worse", "breaks"]


@dataclass(frozen=True)
class Neighbour:
    """One parameter moved. found: breaks, where fewer seeds stayed healthy than the winner's; worse or better, where
    the paired difference of the test tail (above 0: better than the winner) surely is; else it holds."""

    parameter: str
    was: Any
    value: Any
    seeds: int
    healthy: int
    share: float
    share_interval: Interval
    ends: dict[str, int]
    difference: Difference | None
    found: Found


@dataclass(frozen=True)
class Reach:
    """From where to where a number can be moved, as far as it was tried; breaks_at: the nearest values on either side
    that it does not hold at, None where it held as far as it was moved."""

    parameter: str
    was: float
    low: float
    high: float
    breaks_below: float | None
    breaks_above: float | None


@dataclass(frozen=True)
class Plateau:
    """of: the winner. factor and choices: as asked last; earlier factors' neighbours are among the rows. left: what
    could not be moved, and why. complete: all were run."""

    of: int
    metric: str
    factor: float
    choices: bool
    seeds: int
    complete: bool
    rows: tuple[Neighbour, ...]
    reaches: tuple[Reach, ...]
    left: tuple[dict[str, Any], ...]

    def document(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def plateau(state: SweepState) -> Plateau | None:
    """By the record; None where nothing was perturbed, or another winner than the one there is now."""
    asked, picked = state.perturb, standing(state)
    if not asked or picked is None or picked.best.trial != asked.of:
        return None
    seeds = [run_seed(state.seed, FRESH + replicate) for replicate in range(asked.seeds)]
    winner = state.trials[asked.of]
    neighbours = [each for each in state.neighbours.values() if each.moved and each.moved.of == winner.number]
    whole = [each for each in neighbours if all(_ended(each, seed) for seed in seeds)]
    rows = sorted(_rows(state, winner, whole, seeds), key=_order(state))
    return Plateau(
        of=winner.number,
        metric=state.metric,
        factor=asked.factor,
        choices=asked.choices,
        seeds=len(seeds),
        complete=set(asked.neighbours) <= {each.number for each in whole},
        rows=tuple(rows),
        reaches=tuple(_reaches(rows)),
        left=tuple(asked.left),
    )


def _ended(trial: Trial, seed: int) -> bool:
    run = trial.confirmations.get(seed)
    return run is not None and run.end_reason is not None


def _rows(state: SweepState, winner: Trial, neighbours: list[Trial], seeds: list[int]) -> list[Neighbour]:
    """The variance of the paired differences is learnt from all neighbours together (picking/intervals.py)."""
    metric = state.metric
    scores = {
        trial.number: [
            confirmed_score(run, metric) if (run := trial.confirmations.get(seed)) else None for seed in seeds
        ]
        for trial in (winner, *neighbours)
    }
    there_are = [score for each in scores.values() for score in each if score is not None]
    scale = Scale.of(metric, there_are, state.own)
    own = scores[winner.number]
    pairs = {
        trial.number: [
            scale.to(mine) - scale.to(its)
            for mine, its in zip(scores[trial.number], own, strict=True)
            if mine is not None and its is not None
        ]
        for trial in neighbours
    }
    there = {number: each for number, each in pairs.items() if each}
    estimated = dict(zip(there, estimates(list(there.values())), strict=True))
    healthy = sum(score is not None for score in own)
    at = statistics.fmean(scale.to(score) for score in own if score is not None) if healthy else None
    rows = []
    for trial in neighbours:
        assert trial.moved is not None
        count = sum(score is not None for score in scores[trial.number])
        against = None
        if trial.number in estimated and at is not None:
            against = difference(estimated[trial.number], winner.number, at, scale)
        rows.append(
            Neighbour(
                parameter=dotted(trial.moved.parameter),
                was=trial.moved.was,
                value=trial.moved.value,
                seeds=len(seeds),
                healthy=count,
                share=count / len(seeds),
                share_interval=share_interval(count, len(seeds)),
                ends=dict(Counter(str(trial.confirmations[seed].end_reason) for seed in seeds)),
                difference=against,
                found=_found(count, healthy, against),
            )
        )
    return rows


def _found(healthy: int, of_winner: int, against: Difference | None) -> Found:
    if healthy < of_winner:
        return "breaks"
    if against is None or against.noise:
        return "holds"
    return "better" if against.better > 0 else "worse"


def _order(state: SweepState) -> Any:
    """By parameter, as the space has them, then by value."""
    names = list(dict.fromkeys(dotted(each.moved.parameter) for each in state.neighbours.values() if each.moved))

    def key(row: Neighbour) -> tuple[int, float, str]:
        return names.index(row.parameter), row.value if _moved_number(row) else 0.0, str(row.value)

    return key


def _moved_number(row: Neighbour) -> bool:
    return is_number(row.value) and is_number(row.was)


def _reaches(rows: list[Neighbour]) -> list[Reach]:
    reaches = []
    for name in dict.fromkeys(row.parameter for row in rows if _moved_number(row)):
        mine = [row for row in rows if row.parameter == name]
        was = mine[0].was
        below = _way(sorted((row for row in mine if row.value < was), key=lambda row: -row.value), was)
        above = _way(sorted((row for row in mine if row.value > was), key=lambda row: row.value), was)
        reaches.append(Reach(name, was, below[0], above[0], below[1], above[1]))
    return reaches


def _way(rows: list[Neighbour], was: float) -> tuple[float, float | None]:
    """The furthest value at which it holds still, and the nearest at which it does not."""
    furthest = was
    for row in rows:
        if row.found in ("breaks", "worse"):
            return furthest, row.value
        furthest = row.value
    return furthest, None
