"""The status of a sweep as one document: what `status --json` prints, and the rows that tables are made of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.record import lock
from pipeline.record.front import best_trials, objectives
from pipeline.record.state import SweepState
from pipeline.record.trials import Run, Trial, median

RunIds = Mapping[tuple[int, int | None], str]


def status_document(state: SweepState, folder: Path, run_ids: RunIds, backlog: int) -> dict[str, Any]:
    """The document of the design; values that are not there are null."""
    metric = state.metric
    best = state.best_trial
    now = sweep_state(state, folder)
    return {
        "name": state.name,
        "state": now,
        "space": state.source,
        "objective": {
            "metric": metric,
            "direction": "minimize" if state.known.minimise else "maximize",
            "floor": state.floor,
            "floor_spread": state.floor_spread,
            "features": state.prepared.get("features"),
        },
        "trials": [_trial(trial, metric, run_ids, now == "running") for trial in state.trials.values()],
        "best_trial": best.number if best else None,
        "objectives": [each.name for each in objectives(state)],
        "front": {str(number): list(point) for number, point in best_trials(state).items()},
        "seconds": state.seconds,
        "tracker_backlog": backlog,
    }


def sweep_state(state: SweepState, folder: Path) -> str:
    """running | finished | interrupted | failed: by the lock first, then by what the last driver said."""
    if lock.holder(folder):
        return "running"
    said = state.driver.get("state", "started")
    return "interrupted" if said == "started" else str(said)


def trial_rows(state: SweepState) -> list[dict[str, Any]]:
    """A flat row a trial, in the order of the ranking, unranked ones at the end; params under their dotted keys.

    versus_default: the tail's difference to the default configuration's (trial 0), where both were trained to
    the full budget: at different budgets it would say nothing.
    """
    metric = state.metric
    default = state.default_tail
    ranked = state.ranking()
    rest = [trial for trial in state.trials.values() if trial not in ranked]
    rows = []
    for trial in [*ranked, *rest]:
        tail = trial.tail(metric)
        compared = default is not None and tail is not None and trial.end_reason == "completed" and trial.number
        best = median(value for run in trial.runs.values() for _, value in [run.best(metric) or (0, None)])
        rows.append(
            {
                "trial": trial.number,
                "state": trial.state,
                "end_reason": trial.end_reason,
                "source": trial.source,
                "tail": tail,
                "best": best,
                "final": median(run.final(metric) for run in trial.runs.values()),
                "versus_default": tail - default if compared and tail is not None and default is not None else None,
                "images": max((run.images for run in trial.runs.values()), default=0),
                "seconds": sum(run.seconds for run in trial.runs.values()),
                **trial.params,
            }
        )
    return rows


def _trial(trial: Trial, metric: str, run_ids: RunIds, driven: bool) -> dict[str, Any]:
    """`driven`: a driver is at work; without one a run that has not ended waits for a resume."""
    runs = list(trial.runs.values())
    worst = next((run for run in runs if run.end_reason == trial.end_reason), None)
    first = trial.first
    return {
        "number": trial.number,
        "state": _state(trial, driven),
        "end_reason": trial.end_reason,
        "evidence": worst.evidence if worst else None,
        "params": trial.params,
        "source": trial.source,
        "images": max((run.images for run in runs), default=0),
        "best": _best(first, metric) if first else {},
        "final": _final(first) if first else {},
        "tail": {name: trial.tail(name) for name in _metrics(first)} if first else {},
        "seconds": sum(run.seconds for run in runs),
        "mlflow_run_id": run_ids.get((trial.number, None)),
        "runs": [_run(run, metric, run_ids, driven) for run in runs],
    }


def _state(of: Trial | Run, driven: bool) -> str:
    return of.state if driven or of.state != "running" else "waiting"


def _run(run: Run, metric: str, run_ids: RunIds, driven: bool) -> dict[str, Any]:
    return {
        "seed": run.seed,
        "state": _state(run, driven),
        "end_reason": run.end_reason,
        "evidence": run.evidence,
        "attempt": run.attempt,
        "images": run.images,
        "best": _best(run, metric),
        "final": _final(run),
        "tail": {name: run.tail(name) for name in _metrics(run)},
        "seconds": run.seconds,
        "mlflow_run_id": run_ids.get((run.trial, run.seed)),
    }


def _best(run: Run, metric: str) -> dict[str, Any]:
    """All metrics at the evaluation that was the objective's best, and its images."""
    found = run.best(metric)
    if found is None:
        return {}
    measurement = next(m for m in run.measurements if m.images == found[0])
    return {**measurement.metrics, "images": measurement.images}


def _final(run: Run) -> dict[str, float]:
    """All metrics at the last evaluation; after a value that was not finite there was none any more."""
    return next((dict(m.metrics) for m in reversed(run.measurements) if m.metrics), {})


def _metrics(run: Run | None) -> list[str]:
    return list(dict.fromkeys(name for m in run.measurements for name in m.metrics)) if run else []
