"""Who is judged, and which two pictures are shown next."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path

from pipeline.errors import InputError
from pipeline.judging.votes import Shown, Vote
from pipeline.record.home import run_folder
from pipeline.record.runs import Run
from pipeline.record.state import SweepState

TOP = 4  # of a search, where nothing is picked
ROUNDS = 5  # votes on each pair, until the page says that it is enough


@dataclass(frozen=True)
class Picture:
    """The last sample picture of a run: a grid as a whole, so that it shows how much the samples differ from each other
    as well as how good they are, and nobody chose among them."""

    shown: Shown
    path: Path


@dataclass(frozen=True)
class Contestant:
    """A trial, with a picture of each of its seeds that has one on this disk."""

    trial: int
    pictures: tuple[Picture, ...]


def contestants(state: SweepState, folder: Path, top: int | None) -> list[Contestant]:
    """The finalists of the newest pick, by their fresh seeds; without a pick, or with `top`, the best so many trials
    of the search. Raises InputError where fewer than two have a picture on this disk."""
    if state.pick and top is None:
        numbers = state.pick.numbers
        candidates = [_contestant(state, folder, number) for number in numbers]
        whose = "finalists of the pick"
    else:
        ranked = [_contestant(state, folder, trial.number) for trial in state.ranking()]
        candidates = [each for each in ranked if each.pictures][: top or TOP]
        whose = "trials with a score"
    there = [each for each in candidates if each.pictures]
    if len(there) < 2:
        have = ", ".join(f"trial {each.trial}" for each in there) or "none"
        raise InputError(
            f"{state.name}: of its {whose} with a sample picture on this disk: found {have}; valid: two or more"
        )
    return there


def without_pictures(state: SweepState, among: Sequence[Contestant]) -> list[int]:
    """Finalists of the pick that cannot be judged here."""
    there = {each.trial for each in among}
    return [number for number in (state.pick.numbers if state.pick else ()) if number not in there]


def _contestant(state: SweepState, folder: Path, number: int) -> Contestant:
    trial = state.trials[number]
    fresh = _pictures(folder, list(trial.confirmations.values()))
    return Contestant(number, tuple(fresh or _pictures(folder, list(trial.runs.values()))))


def _pictures(folder: Path, runs: Sequence[Run]) -> list[Picture]:
    pictures = []
    for run in runs:
        last = next((m for m in reversed(run.measurements) if m.samples), None)
        path = run_folder(folder, run.trial, run.seed) / str(last.samples) if last else None
        if last and path and path.is_file():
            pictures.append(Picture(Shown(trial=run.trial, seed=run.seed, images=last.images), path))
    return pictures


def wanted(count: int) -> int:
    """How many votes are enough for so many contestants."""
    return ROUNDS * count * (count - 1) // 2


def next_pair(among: Sequence[Contestant], given: Sequence[Vote], chance: random.Random) -> tuple[Picture, Picture]:
    """Two pictures, the left one first: of the pair of trials with the fewest votes so far, with a seed that both have,
    so that they began alike, and of these the one that this pair was shown least with. What is left open, and which
    of the two is left, is drawn."""
    by_pair = Counter(frozenset((vote.left.trial, vote.right.trial)) for vote in given)
    pairs = list(combinations(among, 2))
    fewest = min(by_pair[_of(pair)] for pair in pairs)
    pair = chance.choice([pair for pair in pairs if by_pair[_of(pair)] == fewest])
    shown = Counter(
        frozenset(((v.left.trial, v.left.seed), (v.right.trial, v.right.seed)))
        for v in given
        if frozenset((v.left.trial, v.right.trial)) == _of(pair)
    )
    both = list(product(pair[0].pictures, pair[1].pictures))
    both = [each for each in both if each[0].shown.seed == each[1].shown.seed] or both
    least = min(shown[_runs(each)] for each in both)
    one, other = chance.choice([each for each in both if shown[_runs(each)] == least])
    return (one, other) if chance.random() < 0.5 else (other, one)


def _of(pair: tuple[Contestant, Contestant]) -> frozenset[int]:
    return frozenset(each.trial for each in pair)


def _runs(pair: tuple[Picture, Picture]) -> frozenset[tuple[int, int]]:
    return frozenset((each.shown.trial, each.shown.seed) for each in pair)
