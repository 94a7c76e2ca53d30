"""What MLflow should hold of a sweep: pure functions of its record and state. No mlflow in here."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.record import front
from pipeline.record.events import (
    DriverSaid,
    Event,
    Line,
    NeighbourProposed,
    PerturbBegan,
    PickBegan,
    Promoted,
    RunEnded,
    RunEvent,
    SweepBegan,
    TrialProposed,
    event_of,
    every,
)
from pipeline.record.runs import Run
from pipeline.record.state import SweepState
from pipeline.record.trials import Trial

Key = tuple[int | None, int | None]
"""(None, None): the sweep; (trial, None): a trial, with the curves of its first seed; (trial, seed): a further seed."""

SWEEP: Key = (None, None)
PICK: Key = (-1, None)  # its children are the runs that confirm, and those of the winner's neighbours, (trial, seed)


@dataclass(frozen=True)
class Point:
    """One value of a curve. time: ms since 1970, the record's own, so that a point sent twice is the same point."""

    name: str
    value: float
    time: int
    step: int


def identity(lines: Sequence[Line]) -> str:
    """What tells this sweep from another of the same name: a hash of its first line, and of a copy what it was given
    when it went on by itself (sweeps/start.py)."""
    given = [driver.identity for driver in every(DriverSaid, lines) if driver.identity]
    (first,) = every(SweepBegan, lines[:1])
    own = hashlib.sha256(f"{first.sweep} {first.seed} {first.time!r}".encode()).hexdigest()[:16]
    return given[-1] if given else own


def title(lines: Sequence[Line], folder: Path) -> str:
    """The name that MLflow shows: the one that it was begun with, of a copy that of its own folder."""
    copied = any(driver.identity for driver in every(DriverSaid, lines))
    return folder.name if copied else every(SweepBegan, lines[:1])[0].sweep


def key_of(trial: Trial, seed: int) -> Key:
    first = trial.first
    if seed in trial.confirmations:
        return (trial.number, seed)
    return (trial.number, None) if first is None or first.seed == seed else (trial.number, seed)


def keys(state: SweepState) -> Iterator[Key]:
    """Every run that MLflow should hold, parents first."""
    yield SWEEP
    for trial in state.trials.values():
        yield (trial.number, None)
        yield from (key_of(trial, seed) for seed in list(trial.runs)[1:])
    if state.pick:
        yield PICK
        yield from ((run.trial, run.seed) for run in (*state.confirmations, *state.perturbed))


def apply(state: SweepState, line: Line) -> tuple[dict[Key, list[Point]], set[Key]]:
    """Folds `line` into `state`; the points it adds, and the runs whose view it changed."""
    event = event_of(line)
    if not isinstance(event, RunEvent):
        state.apply(line)
        return {}, _touched(state, event)
    known = state.run(event.trial, event.seed)
    before = len(known.measurements) if known else 0
    state.apply(line)
    trial, run = state.configuration(event.trial), known or state.run(event.trial, event.seed)
    assert run is not None
    key, time, ended = key_of(trial, run.seed), milliseconds(event.time), isinstance(event, RunEnded)
    points: dict[Key, list[Point]] = {}
    if len(run.measurements) > before:
        points[key] = _measured(run, time)
    if run.replicate is not None:
        return _confirmed(state, run, points, time, ended)
    if ended or key in points:
        points.setdefault(key, [])
        if key[1] is not None:
            points[key] += _summary(run, state.metric, time)
        points.setdefault((trial.number, None), []).extend(_summary(trial, state.metric, time))
    if ended:
        points[trial.number, None] += _objectives(state, trial, time)
        points[SWEEP] = _progress(state, time)
    touched = {key, (trial.number, None)} | ({SWEEP} if ended else set())
    finite = {at: [p for p in series if not math.isinf(p.value)] for at, series in points.items()}
    return finite, touched


def _touched(state: SweepState, event: Event) -> set[Key]:
    """The runs whose view is another after an event that is of no run."""
    match event:
        case PickBegan() | PerturbBegan() | NeighbourProposed():
            return {PICK}
        case DriverSaid():
            return {key for key in keys(state) if _unfinished(state, key)} | {SWEEP}
        case TrialProposed(trial=number) | Promoted(trial=number):
            return {SWEEP, (number, None)}
    return {SWEEP}


def _confirmed(
    state: SweepState, run: Run, points: dict[Key, list[Point]], time: int, ended: bool
) -> tuple[dict[Key, list[Point]], set[Key]]:
    """What a line of a run that confirms adds to `points`: its own summary, and the pick's curves by runs ended."""
    key: Key = (run.trial, run.seed)
    if ended or key in points:
        points[key] = [*points.get(key, []), *_summary(run, state.metric, time)]
        tested = run.test_tail(state.metric)
        if tested is not None:
            points[key].append(Point(f"test_tail.{state.metric}", tested, time, run.images))
    if ended:
        part, runs = ("plateau", state.perturbed) if run.trial in state.neighbours else ("pick", state.confirmations)
        reasons = [each.end_reason for each in runs if each.end_reason]
        points[PICK] = [
            Point(f"{part}/ended.{reason}", reasons.count(reason), time, len(reasons))
            for reason in sorted(set(reasons))
        ]
    finite = {at: [p for p in series if not math.isinf(p.value)] for at, series in points.items()}
    return finite, {key, PICK} if ended else {key}


def _measured(run: Run, time: int) -> list[Point]:
    """The newest measurement. Infinite values are no points (SQL would hold them as 1.8e308) but a tag."""
    m = run.measurements[-1]
    named = {**m.metrics, **{f"signals/{name}": value for name, value in m.signals.items()}}
    named |= {f"errors/{name}": value for name, value in m.errors.items()}
    named |= {f"test/{name}": value for name, value in m.test.items()}
    named |= {f"timings/{name}": value for name, value in m.timings.items()} | {"timings/total": m.seconds}
    return [Point(name, float(value), time, m.images) for name, value in named.items()]


def _summary(of: Trial | Run, objective: str, time: int) -> list[Point]:
    """tail.*, best.* and, of what has ended, final.*: what every other page says of it (record/trials.Summary)."""
    summary, runs = of.summary(objective), list(of.runs.values()) if isinstance(of, Trial) else [of]
    values = {f"tail.{name}": value for name, value in summary.tail.items()}
    values |= {f"best.{name}": value for name, value in summary.best.items()}
    if summary.best_images is not None:
        values["best.images"] = summary.best_images
    if any(run.end_reason is not None for run in runs):
        values |= {f"final.{name}": value for name, value in summary.final.items()}
    tails = [tail for run in runs if (tail := run.tail(objective)) is not None]
    if len(runs) > 1:
        values["seeds"] = len(runs)
    if len(runs) > 1 and tails:
        values[f"tail_lowest.{objective}"] = _unless_nan(min, tails)
        values[f"tail_highest.{objective}"] = _unless_nan(max, tails)
    return [Point(name, float(value), time, summary.images) for name, value in values.items()]


def _unless_nan(function: Callable[[list[float]], float], values: list[float]) -> float:
    """Of values with a NaN among them: NaN, not whatever sorting makes of it."""
    return math.nan if any(math.isnan(value) for value in values) else float(function(values))


def _objectives(state: SweepState, trial: Trial, time: int) -> list[Point]:
    """Of several objectives a trial's values."""
    wanted = front.objectives(state)
    values = front.of_trial(trial, wanted) if wanted else None
    step = max((run.images for run in trial.runs.values()), default=0)
    pairs = zip(wanted, values, strict=True) if values else ()
    return [Point(f"objective.{each.name}", value, time, step) for each, value in pairs]


def _progress(state: SweepState, time: int) -> list[Point]:
    """The sweep's own curves, by the number of runs that ended."""
    ended = [run.end_reason for run in state.runs if run.end_reason is not None]
    values: dict[str, float] = {f"sweep/ended.{reason}": ended.count(reason) for reason in set(ended)}
    for name in ("floor", "floor_spread"):
        if getattr(state, name) is not None:
            values[f"sweep/{name}"] = getattr(state, name)
    best = state.best_trial
    tail = best.tail(state.metric) if best else None
    if best and tail is not None:
        values |= {"sweep/best_trial": best.number, f"sweep/best_tail.{state.metric}": tail}
    return [Point(name, float(value), time, len(ended)) for name, value in values.items()]


def _unfinished(state: SweepState, key: Key) -> bool:
    number, seed = key
    if number is None or key == PICK:
        return True
    if seed is None:
        return state.trials[number].state != "finished"
    run = state.run(number, seed)
    return run is None or run.end_reason is None


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
