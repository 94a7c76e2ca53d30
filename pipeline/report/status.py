"""The status of a sweep as one document: what `status --json` prints, and the rows that tables are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.record import lock
from pipeline.record.front import best_trials, objectives
from pipeline.record.runs import Run, Summary
from pipeline.record.state import SweepState
from pipeline.record.trials import Trial

WITHIN = "within two standard errors of the samples"
RunIds = Mapping[tuple[int, int | None], str]


def status_document(state: SweepState, folder: Path, run_ids: RunIds, backlog: int) -> dict[str, Any]:
    """The document of the design; values that are not there are null."""
    from pipeline.picking.expectation import expectation  # it needs SciPy, which takes most of a second

    metric = state.metric
    best, expected = state.best_trial, expectation(state)
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
            "features": state.features,
        },
        "trials": [_trial(trial, metric, run_ids, now == "running") for trial in state.trials.values()],
        "best_trial": best.number if best else None,
        "expected": None if expected is None else asdict(expected),
        "objectives": [each.name for each in objectives(state)],
        "front": {str(number): list(point) for number, point in best_trials(state).items()},
        "nodes": [
            {"host": node.host, "state": node.state, "why": node.why, "node": node.node}
            for node in state.nodes.values()
        ],
        "seconds": state.seconds,
        "tracker_backlog": backlog,
    }


def sweep_state(state: SweepState, folder: Path) -> str:
    """running | finished | interrupted | failed: by the lock first, then by what the last driver said."""
    if lock.holder(folder) or lock.elsewhere(folder):
        return "running"
    return "interrupted" if state.searching == "started" else state.searching


def trial_rows(state: SweepState) -> list[dict[str, Any]]:
    """A flat row a trial, in the order of the ranking, unranked ones at the end; params under their dotted keys.

    versus_default: the tail's difference to the default configuration's (trial 0), where both were trained to
    the full budget: at different budgets it would say nothing. versus_default_error: its standard error, tail_error
    that of the tail, both over redraws of the samples.
    """
    metric = state.metric
    default = state.default_tail
    of_default = state.default.summary(metric) if state.default else None
    ranked = state.ranking()
    placed = {trial.number for trial in ranked}
    rest = [trial for trial in state.trials.values() if trial.number not in placed]
    rows = []
    for trial in [*ranked, *rest]:
        summary = trial.summary(metric)
        tail = summary.tail.get(metric)
        compared = default is not None and tail is not None and trial.end_reason == "completed" and trial.number
        rows.append(
            {
                "trial": trial.number,
                "state": trial.state,
                "end_reason": trial.end_reason,
                "source": trial.source,
                "tail": tail,
                "best": summary.best.get(metric),
                "final": summary.final.get(metric),
                "tail_error": summary.errors.get(metric),
                "versus_default": tail - default if compared and tail is not None and default is not None else None,
                "versus_default_error": error_of_difference(summary, of_default, metric) if compared else None,
                "images": summary.images,
                "seconds": summary.seconds,
                **trial.params,
            }
        )
    return rows


def error_of_difference(one: Summary, other: Summary | None, metric: str) -> float | None:
    """The standard error of the difference of two tails, over redraws of the samples of both."""
    errors = [each.errors.get(metric) for each in (one, other) if each]
    known = [error for error in errors if error is not None]
    return math.hypot(*known) if len(known) == 2 else None


def within_errors(better: float | None, error: float | None) -> bool:
    """Whether a difference is one that the samples alone may explain."""
    return better is not None and error is not None and abs(better) < 2 * error


def _trial(trial: Trial, metric: str, run_ids: RunIds, driven: bool) -> dict[str, Any]:
    """`driven`: a driver is at work; without one a run that has not ended waits for a resume."""
    return {
        "number": trial.number,
        "state": _state(trial, driven),
        "params": trial.params,
        "source": trial.source,
        **_found(trial.summary(metric)),
        "mlflow_run_id": run_ids.get((trial.number, None)),
        "runs": [_run(run, metric, run_ids, driven) for run in trial.runs.values()],
    }


def _found(summary: Summary) -> dict[str, Any]:
    """What a trial, or a run, came to."""
    at = {} if summary.best_images is None else {"images": summary.best_images}
    return {
        "end_reason": summary.end_reason,
        "evidence": summary.evidence,
        "images": summary.images,
        "best": {**summary.best, **at},
        "final": summary.final,
        "tail": summary.tail,
        "tail_error": summary.errors,
        "seconds": summary.seconds,
    }


def _state(of: Trial | Run, driven: bool) -> str:
    return of.state if driven or of.state != "running" else "waiting"


def _run(run: Run, metric: str, run_ids: RunIds, driven: bool) -> dict[str, Any]:
    return {
        "seed": run.seed,
        "state": _state(run, driven),
        "attempt": run.attempt,
        **_found(run.summary(metric)),
        "mlflow_run_id": run_ids.get((run.trial, run.seed)),
    }
