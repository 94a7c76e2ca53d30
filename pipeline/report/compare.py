"""Sweeps side by side: what each found, what it spent, how it failed, and where they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from rich.table import Table
from rich.text import Text

from pipeline.errors import InputError
from pipeline.picking.intervals import Interval
from pipeline.picking.verdict import standing
from pipeline.record.state import SweepState
from pipeline.report.numbers import clock, number
from pipeline.report.spending import spent
from pipeline.report.status import sweep_state
from pipeline.report.verdict import span
from pipeline.schema.base import flatten
from pipeline.schema.features import measured_in

CONFIRMED = "what is confirmed on fresh seeds"
ABOUT = ("about", "known_good", "health")  # of a sweep's file: in no comparison of what was searched


@dataclass(frozen=True)
class Sweep:
    """One of those compared. best: the best trial of the search, its tail. confirmed: the pick's score on the test part
    with its interval. hours: of cores, or of GPUs where its runs take one. failures: runs of the search by how they
    failed."""

    name: str
    state: str
    metric: str
    minimise: bool
    features: str | None
    data: str | None
    trials: int
    best_trial: int | None
    best: float | None
    default: float | None
    confirmed_trial: int | None
    confirmed: float | None
    interval: Interval | None
    healthy_seeds: str | None
    hours: float
    gpu: bool
    seconds: float
    ended: int
    failures: dict[str, int]


@dataclass(frozen=True)
class Comparison:
    """why_not: why they cannot be ranked, None where they can; then `order` has their names, the best first, by what is
    confirmed where all of them are, else by the search. differs: what their files say differently, by dotted key."""

    sweeps: tuple[Sweep, ...]
    why_not: str | None
    by: str | None
    order: tuple[str, ...]
    differs: dict[str, tuple[Any, ...]]
    params: dict[str, tuple[Any, ...]]

    @property
    def comparable(self) -> bool:
        """Whether their numbers are of one kind, so that they may share an axis."""
        kinds = {(each.metric, each.data, each.features) for each in self.sweeps}
        return len(kinds) == 1

    def of(self, name: str) -> Sweep:
        """The sweep of that name."""
        return next(each for each in self.sweeps if each.name == name)

    def score(self, of: Sweep) -> float | None:
        """What the ranking compares."""
        return of.confirmed if self.by == CONFIRMED else of.best

    def document(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def compare(states: Sequence[SweepState]) -> Comparison:
    """Of two sweeps or more. Raises InputError for fewer, or one that is named twice."""
    names = [state.name for state in states]
    if len(states) < 2:
        raise InputError(f"compare: found {len(states)} sweep; valid: two or more")
    if len(set(names)) < len(names):
        raise InputError(f"compare: found {', '.join(names)}; valid: each sweep once")
    sweeps = tuple(map(_sweep, states))
    why_not = _why_not(sweeps)
    by, order = (None, ()) if why_not else _ranked(sweeps)
    files = [flatten({k: v for k, v in state.space.items() if k not in ABOUT}) for state in states]
    chosen = [_chosen(state) for state in states]
    return Comparison(sweeps, why_not, by, order, _differing(files), _differing(chosen))


def _sweep(state: SweepState) -> Sweep:
    best, picked = state.best_trial, standing(state)
    row = picked.best if picked else None
    failures = Counter(str(run.end_reason) for run in state.runs if run.end_reason and not run.healthy)
    assert state.folder is not None
    return Sweep(
        name=state.name,
        state=sweep_state(state, state.folder),
        metric=state.metric,
        minimise=state.known.minimise,
        features=state.features,
        data=state.data.get("name"),
        trials=len(state.trials),
        best_trial=best.number if best else None,
        best=best.tail(state.metric) if best else None,
        default=state.default_tail,
        confirmed_trial=row.trial if row else None,
        confirmed=row.score if row else None,
        interval=row.interval if row else None,
        healthy_seeds=f"{row.healthy} of {row.seeds}" if row else None,
        hours=spent(state).total * (state.share or state.cores) / 3600,
        gpu=bool(state.share),
        seconds=state.seconds,
        ended=sum(run.end_reason is not None for run in state.runs),
        failures=dict(failures.most_common()),
    )


def _why_not(sweeps: Sequence[Sweep]) -> str | None:
    for what, theirs in (
        ("objectives", [each.metric for each in sweeps]),
        ("data", [each.data or "none prepared" for each in sweeps]),
        ("features", [each.features or "none" for each in sweeps]),
    ):
        if len(set(theirs)) > 1:
            return f"they cannot be ranked: their {what} differ ({', '.join(dict.fromkeys(theirs))})"
    without = [each.name for each in sweeps if each.best is None and each.confirmed is None]
    return f"they cannot be ranked: {', '.join(without)} has no completed trial" if without else None


def _ranked(sweeps: Sequence[Sweep]) -> tuple[str | None, tuple[str, ...]]:
    sign = 1 if sweeps[0].minimise else -1
    scores = {each.name: each.confirmed for each in sweeps}
    by = CONFIRMED
    if any(score is None for score in scores.values()):
        scores, by = {each.name: each.best for each in sweeps}, "the search's best, which is not confirmed in all"
    known = {name: score for name, score in scores.items() if score is not None}
    if len(known) < len(sweeps):
        return None, ()
    return by, tuple(sorted(known, key=lambda name: sign * known[name]))


def _chosen(state: SweepState) -> dict[str, Any]:
    """The parameters of what one would take of it."""
    picked = standing(state)
    number = picked.best.trial if picked else state.best_trial.number if state.best_trial else None
    return {} if number is None else state.trials[number].params


def _differing(trees: Sequence[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    keys = dict.fromkeys(key for tree in trees for key in tree)
    by_key = {key: tuple(tree.get(key) for tree in trees) for key in keys}
    return {key: values for key, values in by_key.items() if any(value != values[0] for value in values[1:])}


def comparison_table(comparison: Comparison) -> Table:
    """A column a sweep."""
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False)
    table.add_column("")
    for each in comparison.sweeps:
        table.add_column(each.name, overflow="fold")
    for name, cells in rows(comparison.sweeps).items():
        table.add_row(Text(name, style="dim"), *cells)
    for title, differing in (("what each would take:", comparison.params), ("their files:", comparison.differs)):
        if differing:
            table.add_row()
            table.add_row(Text(title, style="bold"))
            for key, values in differing.items():
                table.add_row(Text(key, style="dim"), *("–" if v is None else number(v) for v in values))
    return table


def rows(sweeps: Sequence[Sweep]) -> dict[str, list[str]]:
    """What is said of each sweep, by name."""
    return {
        "state": [each.state for each in sweeps],
        "measured": [each.metric + measured_in(each.features) for each in sweeps],
        "data": [each.data or "–" for each in sweeps],
        "trials": [str(each.trials) for each in sweeps],
        "best of the search": [_with_trial(each.best, each.best_trial) for each in sweeps],
        "the default": [number(each.default) for each in sweeps],
        "confirmed": [_with_trial(each.confirmed, each.confirmed_trial) for each in sweeps],
        "95%": ["–" if each.interval is None else span(each.interval) for each in sweeps],
        "healthy fresh seeds": [each.healthy_seeds or "–" for each in sweeps],
        "spent": [
            f"{each.hours:.2g} {'GPU' if each.gpu else 'core'}-hours in {clock(each.seconds)}" for each in sweeps
        ],
        "failed runs": [f"{sum(each.failures.values())} of {each.ended}" for each in sweeps],
        "how": [", ".join(f"{count} {reason}" for reason, count in each.failures.items()) or "–" for each in sweeps],
    }


def _with_trial(value: float | None, trial: int | None) -> str:
    return "–" if value is None else f"{number(value)} (trial {trial})"


def words(comparison: Comparison) -> str:
    """The ranking in a line, or why there is none."""
    if not comparison.order:
        return comparison.why_not or "they cannot be ranked: not all of them have a score"
    first, second, *_ = ranked = [comparison.of(name) for name in comparison.order]
    said = comparison.order[0]
    for before, behind in pairwise(ranked):
        said += f" {'as good as' if comparison.score(before) == comparison.score(behind) else 'before'} {behind.name}"
    return f"by {comparison.by}: {said}" + (
        "; the first two are not told apart: their 95% overlap" if _overlap(first, second) else ""
    )


def headline(comparison: Comparison) -> str:
    """Which one found the best, in a title's words."""
    if not comparison.order:
        return "They stand side by side, and cannot be ranked"
    first, second = comparison.of(comparison.order[0]), comparison.of(comparison.order[1])
    if comparison.score(first) == comparison.score(second):
        return f"{first.name} and {second.name} found equally good ones"
    if _overlap(first, second):
        return f"{first.name} is ahead of {second.name}, within seed noise"
    return f"{first.name} found the {'better' if len(comparison.order) == 2 else 'best'} one"


def _overlap(one: Sweep, other: Sweep) -> bool:
    if one.interval is None or other.interval is None:
        return False
    return max(one.interval[0], other.interval[0]) <= min(one.interval[1], other.interval[1])
