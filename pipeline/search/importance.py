"""Which parameters mattered: PED-ANOVA over the order in which a sweep ranks its trials."""

from __future__ import annotations

import warnings

import optuna

from pipeline.record.state import SweepState
from pipeline.search.sampler import optuna_distribution
from pipeline.space.tree import Space

TOP = 0.25  # what was it that made a trial one of the best quarter
LEAST = 12  # trials, so that the best quarter is three
LEAST_BRANCH = 6  # trials that a parameter must be in to be looked at
EVALUATOR = "PED-ANOVA by Optuna, the best quarter against all; it draws nothing, so it has no seed"


def importances(state: SweepState, space: Space) -> dict[str, float]:
    """The share of each parameter, by full name, the greatest first; empty for fewer than 12 ended trials.

    A trial's value is its place in the ranking, and unhealthy ones come last: so runs that a rung stopped count too.
    A parameter of a branch is looked at where its branch was chosen, in 6 trials or more (Watanabe, Bansal &
    Hutter 2023, arXiv:2304.10255; for branches arXiv:2601.20800).
    """
    healthy = [trial for trial in state.ranking() if trial.healthy]
    ranked = {trial.number for trial in healthy}
    failed = [t for t in state.trials.values() if t.state == "finished" and t.number not in ranked]
    if len(healthy) + len(failed) < LEAST or len(healthy) < LEAST * TOP:
        return {}
    distributions = {p.name: optuna_distribution(p.distribution) for p in space.parameters()}
    trials = [*healthy, *failed]
    often = [name for name in distributions if sum(name in trial.point for trial in trials) >= LEAST_BRANCH]
    study = optuna.create_study()
    for place, trial in enumerate(trials):
        study.add_trial(
            optuna.trial.create_trial(
                value=float(min(place, len(healthy))),
                params=trial.point,
                distributions={name: distributions[name] for name in trial.point},
            )
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=TOP)
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator, params=often))
