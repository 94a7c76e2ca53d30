"""What an MLflow run says of itself besides its curves: name, status, params, tags. No mlflow in here."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from pipeline.record.runs import HEALTH_REASONS, Run
from pipeline.record.state import SweepState
from pipeline.record.trials import Trial
from pipeline.report.markdown import describe, ends, evidence_line, leaderboard
from pipeline.schema.base import flatten
from pipeline.tracking.projection import SWEEP, Key, milliseconds

RESULTS = ("completed", "rung", *HEALTH_REASONS)  # ends that say something of the configuration


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
        status=run_status(reason, bool(run), working),
        params=params,
        tags=run_tags(state, trial, runs, reason, working),
    )


def run_tags(state: SweepState, trial: Trial, runs: list[Run], reason: str | None, working: bool) -> dict[str, str]:
    """What a run, or a trial over its runs, says of itself. working: a driver is at it."""
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
    driver = state.searching
    status = {"started": "RUNNING" if alive else "KILLED", "finished": "FINISHED", "failed": "FAILED"}
    settings = flatten({k: v for k, v in state.spec.items() if k != "health"})
    changing = {"launch": state.driver.launch if state.driver else {}, "data": state.data}
    tags = {
        name: cut(text(value)) for name, value in flatten(changing).items() if value is not None
    }  # params are final
    tags |= {
        "state": {"started": "running" if alive else "interrupted"}.get(driver, driver),
        "objective": f"{state.metric}, {'less' if state.known.minimise else 'more'} is better",
        "end_reasons": ends(state),
        "mlflow.note.content": leaderboard(state, limit=5000),
    }
    if state.features:
        tags["features"] = state.features
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
    return state.searching == "started"


def run_status(reason: str | None, begun: bool, working: bool) -> str:
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


def _plain(value: Any) -> Any:
    """JSON without NaN and infinities, which are no JSON."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, (list, tuple)) else value
