"""The study of a sweep as a journal file, which optuna-dashboard and Optuna itself open."""

from __future__ import annotations

import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from pipeline.record.front import minimises, objectives
from pipeline.record.state import SweepState
from pipeline.record.trials import Trial
from pipeline.search.outcome import trial_outcome
from pipeline.search.sampler import optuna_distribution
from pipeline.search.trials import Trials
from pipeline.space.tree import Space


def write_journal(state: SweepState, space: Space, path: Path) -> None:
    """Writes a new journal with the study as the sampler has it, under the sweep's name. Raises OSError where it
    cannot.

    What no sampler reads of a trial are its user attributes: end reason, evidence, what it was measured at. A failure
    is a value worse than any that was found and a broken constraint (search/trials.py); one that was stopped at a rung
    is pruned, with its values at each evaluation.
    """
    path.unlink(missing_ok=True)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
    wanted = objectives(state)
    minimise = [minimises(each, state.own) for each in wanted] or [state.known.minimise]
    distributions = {p.name: optuna_distribution(p.distribution) for p in space.parameters()}
    told = Trials(distributions, minimise)
    for place, trial in enumerate(state.trials.values()):
        told.ask(place, dict(trial.point))
        if (outcome := trial_outcome(trial, state.metric, wanted)) is not None:
            told.tell(place, outcome)
    study = optuna.create_study(
        storage=storage,
        study_name=state.name,
        directions=["minimize" if less else "maximize" for less in minimise],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # names of metrics are
        study.set_metric_names([each.name for each in wanted] or [state.metric])
    for name, value in _of_sweep(state).items():
        study.set_user_attr(name, value)
    study.add_trials(
        [_described(frozen, trial, state) for frozen, trial in zip(told.frozen(), state.trials.values(), strict=True)]
    )


def _of_sweep(state: SweepState) -> dict[str, Any]:
    facts = {"space": state.source, "data": state.data.get("name"), "features": state.features, "floor": state.floor}
    return {name: value for name, value in facts.items() if value is not None}


def _described(frozen: FrozenTrial, trial: Trial, state: SweepState) -> FrozenTrial:
    """The trial with its times, as the record has them, what a reviewer asks of it, and its curve."""
    summary = trial.summary(state.metric)
    ends = [run.ended for run in trial.runs.values() if run.ended is not None]
    frozen.datetime_start = datetime.fromtimestamp(trial.proposed)
    if frozen.state is not TrialState.RUNNING:
        frozen.datetime_complete = datetime.fromtimestamp(max(ends, default=trial.proposed))
    if (
        frozen.state is TrialState.COMPLETE
        and not frozen.intermediate_values
        and trial.first
        and not state.spec.get("objectives")
    ):
        frozen.intermediate_values = dict(trial.first.values(state.metric))
    facts = {
        "end_reason": summary.end_reason or trial.state,
        "evidence": summary.evidence,
        "source": trial.source,
        "images": summary.images,
        "seconds": round(summary.seconds, 3),
        "seeds": summary.seeds,
        "tail": summary.tail.get(state.metric),
        "best": summary.best.get(state.metric),
    }
    frozen.user_attrs = {name: value for name, value in facts.items() if value is not None}
    return frozen
