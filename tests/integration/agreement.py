"""Whether record, rebuilt study and MLflow say the same of a sweep, trial by trial and point by point."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

from optuna.trial import TrialState

from pipeline.record.log import read
from pipeline.record.runs import Run
from pipeline.record.state import SweepState
from pipeline.record.trials import Trial
from pipeline.search.sampler import Sampler
from pipeline.space.load import from_tree
from pipeline.tracking.tracker import default_uri, run_ids, sync

Points = Counter[tuple[str, int, float]]


def disagreements(home: Path, name: str, uri_of_memory: str | None = None) -> list[str]:
    """Brings MLflow up to date as `gansweep sync` does, and says what is not the same anywhere; [] is agreement.
    uri_of_memory: of a server before the same database, which has brought it up to date."""
    folder = home / name
    lines, _ = read(folder / "events.jsonl")
    if not lines:
        return []
    if uri_of_memory is None:
        sync(folder, default_uri(home))
    state = SweepState.fold(lines)
    return [*_study(state, lines), *_mlflow(home, folder, state)]


def _study(state: SweepState, lines: list[Any]) -> list[str]:
    file = from_tree(state.space, state.source)
    sampler = Sampler.of(file)
    sampler.replay(lines)
    trials = sampler.study().trials
    wrong = []
    if len(trials) != len(state.trials):
        wrong.append(f"the study has {len(trials)} trials, the record {len(state.trials)}")
    for found, trial in zip(trials, state.trials.values(), strict=False):
        if found.params != trial.point:
            wrong.append(f"trial {trial.number}: the study has {found.params}")
        if (found.state == TrialState.RUNNING) != (trial.end_reason is None):
            wrong.append(f"trial {trial.number}: {found.state} in the study, {trial.end_reason} in the record")
        if trial.end_reason in ("completed", "rung") and found.value != trial.tail(state.metric):
            wrong.append(f"trial {trial.number}: the study was told {found.value}")
    return wrong


def _mlflow(home: Path, folder: Path, state: SweepState) -> list[str]:
    ids = run_ids(folder)
    wrong = []
    with sqlite3.connect(home / "mlflow.db") as database:
        status = dict(
            database.execute(
                "select r.run_uuid, r.status from runs r join tags t on t.run_uuid = r.run_uuid "
                "where t.key = 'gansweep.sweep' and t.value = ? and r.lifecycle_stage = 'active'",
                (folder.name,),
            ).fetchall()
        )
        if len(status) != 1 + len(state.trials):
            wrong.append(f"MLflow has {len(status)} runs for a sweep of {len(state.trials)} trials")
        for trial in state.trials.values():
            run_id = ids.get((trial.number, None))
            if run_id not in status:
                wrong.append(f"trial {trial.number}: not in MLflow")
                continue
            ended = trial.end_reason is not None
            if ended != (status[run_id] in ("FINISHED", "FAILED")):
                wrong.append(f"trial {trial.number}: {status[run_id]} in MLflow, {trial.end_reason} in the record")
            if trial.first is not None:
                wrong += _points(database, run_id, trial.first)
                wrong += _summaries(database, run_id, trial, state.metric)
    return wrong


def _summaries(database: sqlite3.Connection, run_id: str, trial: Trial, objective: str) -> list[str]:
    """What the trial came to over its seeds."""
    summary = trial.summary(objective)
    expected = {f"{part}.{name}": value for part in ("tail", "best") for name, value in getattr(summary, part).items()}
    if trial.ended:
        expected |= {f"final.{name}": value for name, value in summary.final.items()}
    rows = database.execute("select key, value from latest_metrics where run_uuid = ?", (run_id,)).fetchall()
    found = {name: value for name, value in rows if name.split(".")[0] in ("tail", "best", "final")}
    found.pop("best.images", None)
    return [] if found == expected else [f"trial {trial.number}: MLflow has {found}, the record {expected}"]


def _points(database: sqlite3.Connection, run_id: str, run: Run) -> list[str]:
    """Each value of each metric, once."""
    rows = database.execute("select key, step, value from metrics where run_uuid = ?", (run_id,)).fetchall()
    expected: Points = Counter((name, m.images, value) for m in run.measurements for name, value in m.metrics.items())
    names = {name for name, _, _ in expected}
    found: Points = Counter(row for row in rows if row[0] in names)
    if found == expected:
        return []
    return [f"trial {run.trial}: MLflow lacks {expected - found}, and has {found - expected} too much"]
