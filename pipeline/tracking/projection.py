"""What MLflow should hold of a sweep: pure functions of its record and state. No mlflow in here."""

from __future__ import annotations

import hashlib
import json
import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.metrics.catalogue import METRICS
from pipeline.record import Line
from pipeline.spec.base import flatten
from pipeline.state import HEALTH_REASONS, Run, SweepState, Trial
from pipeline.tracking.words import describe, evidence_line, leaderboard, outcome

Key = tuple[int | None, int | None]
"""(None, None): the sweep; (trial, None): a trial, with the curves of its first seed; (trial, seed): a further seed."""

SWEEP: Key = (None, None)
RESULTS = ("completed", "rung", *HEALTH_REASONS)  # ends that say something of the configuration


@dataclass(frozen=True)
class Point:
    """One value of a curve. time: ms since 1970, the record's own, so that a point sent twice is the same point."""

    name: str
    value: float
    time: int
    step: int


@dataclass(frozen=True)
class View:
    """All of an MLflow run but its curves. status: MLflow's word; started and ended: ms since 1970."""

    name: str
    parent: Key | None
    started: int
    ended: int | None
    status: str
    params: dict[str, str]
    tags: dict[str, str]


def identity(line: Line) -> str:
    """What tells this sweep from another of the same name: a hash of its first line."""
    return hashlib.sha256(f"{line['name']} {line['seed']} {line['time']!r}".encode()).hexdigest()[:16]


def key_of(trial: Trial, seed: int) -> Key:
    first = trial.first
    return (trial.number, None) if first is None or first.seed == seed else (trial.number, seed)


def keys(state: SweepState) -> Iterator[Key]:
    """Every run that MLflow should hold, parents first."""
    yield SWEEP
    for trial in state.trials.values():
        yield (trial.number, None)
        yield from (key_of(trial, seed) for seed in list(trial.runs)[1:])


def apply(state: SweepState, line: Line) -> tuple[dict[Key, list[Point]], set[Key]]:
    """Folds `line` into `state`; the points it adds, and the runs whose view it changed."""
    event = line["event"]
    if event in ("sweep", "prepared"):
        state.apply(line)
        return {}, {SWEEP}
    if event == "driver":
        state.apply(line)
        return {}, {key for key in keys(state) if _unfinished(state, key)} | {SWEEP}
    if event == "trial":
        state.apply(line)
        return {}, {SWEEP, (line["trial"], None)}
    trial = state.trials[line["trial"]]
    before = len(trial.runs[line["seed"]].measurements) if line["seed"] in trial.runs else 0
    state.apply(line)
    run = trial.runs[line["seed"]]
    key, time = key_of(trial, run.seed), milliseconds(line["time"])
    points: dict[Key, list[Point]] = {}
    if event == "measurement" and len(run.measurements) > before:
        points[key] = _measured(run, time)
    if event == "run_ended" or key in points:
        points.setdefault(key, [])
        if key[1] is not None:
            points[key] += _summary([run], state.metric, time)
        points.setdefault((trial.number, None), []).extend(_summary(list(trial.runs.values()), state.metric, time))
    if event == "run_ended":
        points[SWEEP] = _progress(state, time)
    touched = {key, (trial.number, None)} | ({SWEEP} if event == "run_ended" else set())
    finite = {at: [p for p in found if not math.isinf(p.value)] for at, found in points.items()}
    return finite, touched


def _measured(run: Run, time: int) -> list[Point]:
    """The newest measurement. Infinite values are no points (SQL would hold them as 1.8e308) but a tag."""
    m = run.measurements[-1]
    named = {**m.metrics, **{f"signals/{name}": value for name, value in m.signals.items()}}
    named |= {f"timings/{name}": value for name, value in m.timings.items()} | {"timings/total": m.seconds}
    return [Point(name, float(value), time, m.images) for name, value in named.items()]


def summary(runs: list[Run], objective: str) -> dict[str, float]:
    """best.*, all metrics where the objective was best; final.*; tail.*: each the median over the runs."""
    found: dict[str, list[float]] = {}
    for run in runs:
        best = run.best(objective)
        for m in run.measurements:
            if best and m.images == best[0]:
                for name, value in m.metrics.items():
                    found.setdefault(f"best.{name}", []).append(value)
                found.setdefault("best.images", []).append(m.images)
        for name in run.measurements[-1].metrics if run.measurements else ():
            tail = run.tail(name)
            if tail is not None:
                found.setdefault(f"tail.{name}", []).append(tail)
            if run.end_reason is not None:
                found.setdefault(f"final.{name}", []).append(run.measurements[-1].metrics[name])
    return {name: _median(values) for name, values in found.items()}


def _median(values: list[float]) -> float:
    """Of values with a NaN among them: NaN, not whatever sorting makes of it."""
    return math.nan if any(math.isnan(value) for value in values) else float(statistics.median(values))


def _summary(runs: list[Run], objective: str, time: int) -> list[Point]:
    step = max((run.images for run in runs), default=0)
    values = summary(runs, objective)
    if len(runs) > 1:
        tails = [tail for run in runs if (tail := run.tail(objective)) is not None]
        values |= {"seeds": len(runs), f"tail_lowest.{objective}": min(tails), f"tail_highest.{objective}": max(tails)}
    return [Point(name, float(value), time, step) for name, value in values.items()]


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


def view(state: SweepState, key: Key, alive: bool = True) -> View:
    """The run `key` as the record has it. alive False: the driver that wrote the last line is dead."""
    number, seed = key
    if number is None:
        return _sweep_view(state, alive)
    trial = state.trials[number]
    run = trial.first if seed is None else trial.runs[seed]
    runs = list(trial.runs.values()) if seed is None else [trial.runs[seed]]
    reason = trial.end_reason if seed is None else trial.runs[seed].end_reason
    params = {name: text(value) for name, value in trial.params.items()}
    if run:
        params["seed"] = text(run.seed)
    ends = [r.ended for r in runs if r.ended is not None]
    working = alive and _at_work(state)
    return View(
        name=f"trial {number}" if seed is None else f"trial {number} seed {seed}",
        parent=SWEEP if seed is None else (number, None),
        started=milliseconds(run.started if seed is not None and run else trial.proposed),
        ended=milliseconds(max(ends)) if reason and ends else None if working else milliseconds(state.updated),
        status=_status(reason, bool(run), working),
        params=params,
        tags=_tags(state, trial, runs, reason, working),
    )


def _tags(state: SweepState, trial: Trial, runs: list[Run], reason: str | None, working: bool) -> dict[str, str]:
    waiting = "running" if any(r.state == "running" for r in runs) else "waiting"
    tags = {
        "state": "finished" if reason else waiting if working else "interrupted",
        "source": trial.source,
        "mlflow.note.content": describe(state, trial, runs),
    }
    if reason:
        tags["end_reason"] = reason
        ended = next(r for r in runs if r.end_reason == reason)
        tags["evidence"] = cut(evidence_line(reason, ended.evidence))
        if ended.evidence:
            tags["evidence.json"] = cut(json.dumps(_plain(ended.evidence)))
    features = {m.features for r in runs for m in r.measurements if m.features}
    if features:
        tags["features"] = ", ".join(sorted(features))
    infinite = [
        f"{name}: {value} at {m.images:,} images" + (f" (seed {r.seed})" if len(runs) > 1 else "")
        for r in runs
        for m in r.measurements
        for name, value in {**m.metrics, **m.signals}.items()
        if math.isinf(value)
    ]
    if infinite:
        tags["infinite"] = cut("; ".join(infinite))
    if runs:
        tags["gansweep.seed"] = str(runs[0].seed)
    if len(runs) > 1:
        tags["seeds"] = ", ".join(str(r.seed) for r in runs)
    return tags


def _sweep_view(state: SweepState, alive: bool) -> View:
    driver = str(state.driver.get("state", "started"))
    status = {"started": "RUNNING" if alive else "KILLED", "finished": "FINISHED", "failed": "FAILED"}
    settings = flatten({k: v for k, v in state.spec.items() if k != "health"})
    changing = {"launch": state.driver.get("launch") or {}, "data": state.prepared.get("data") or {}}
    tags = {
        name: cut(text(value)) for name, value in flatten(changing).items() if value is not None
    }  # params are final
    tags |= {
        "state": {"started": "running" if alive else "interrupted"}.get(driver, driver),
        "objective": f"{state.metric}, {'less' if METRICS[state.metric].minimise else 'more'} is better",
        "end_reasons": outcome(state),
        "mlflow.note.content": leaderboard(state, limit=5000),
    }
    if state.best_trial:
        tags["best_trial"] = str(state.best_trial.number)
    working = alive and _at_work(state)
    return View(
        name=state.name,
        parent=None,
        started=milliseconds(state.started),
        ended=None if working else milliseconds(state.updated),
        status=status.get(driver, "KILLED"),
        params={**{name: text(value) for name, value in settings.items()}, "sweep.seed": text(state.seed)},
        tags=tags,
    )


def _at_work(state: SweepState) -> bool:
    return bool(state.driver.get("state", "started") == "started")


def _unfinished(state: SweepState, key: Key) -> bool:
    number, seed = key
    if number is None:
        return True
    trial = state.trials[number]
    return trial.state != "finished" if seed is None else trial.runs[seed].end_reason is None


def _status(reason: str | None, begun: bool, working: bool) -> str:
    if reason:
        return "FINISHED" if reason in RESULTS else "FAILED"
    if not working:
        return "KILLED"
    return "RUNNING" if begun else "SCHEDULED"


def text(value: Any) -> str:
    """A param's value: floats at 6 digits, to be read and compared; the exact ones are in the artifact spec.yaml."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(_plain(value))


def cut(value: str, limit: int = 5000) -> str:
    """MLflow holds 5000 characters of a tag on every store; what is longer says that it was cut."""
    return value if len(value) <= limit else value[: limit - 40] + " ... (cut; whole in the record)"


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _plain(value: Any) -> Any:
    """JSON without NaN and infinities, which are no JSON."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, (list, tuple)) else value
