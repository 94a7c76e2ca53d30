"""What is used of other libraries beyond what they promise, each with what relies on it: a release that changes one of
these fails here, by its name, and not in the middle of a sweep."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import typer


def test_optuna_makes_a_frozen_study_of_these() -> None:
    """search/history.py hands one to the samplers in place of a storage's copy."""
    from optuna.study import StudyDirection
    from optuna.study._frozen import FrozenStudy

    study = FrozenStudy("sweep", None, {}, {}, 0, directions=[StudyDirection.MINIMIZE])
    assert (study.study_name, study._study_id, study.directions) == ("sweep", 0, [StudyDirection.MINIMIZE])


def test_optunas_storage_asks_for_no_more_than_the_history_has() -> None:
    from optuna.storages import BaseStorage

    from pipeline.search.history import History

    assert not BaseStorage.__abstractmethods__ - vars(History).keys()


def test_the_list_of_tunes_trials_is_tunes_own() -> None:
    """cluster/scheduling.py takes ended trials out of it, for Tune looks through all of them at each step."""
    from ray.tune.execution.tune_controller import TuneController

    source = inspect.getsource(TuneController.get_trials)
    assert "return self._trials" in source


def test_what_tune_keeps_of_a_trial_can_be_let_go() -> None:
    from ray.tune.experiment import Trial
    from ray.tune.experiment.trial import _TrainingRunMetadata

    trial = Trial("unregistered", stub=True)
    for name in ("config", "evaluated_params"):
        getattr(trial, name).clear()
    trial.run_metadata = type(trial.run_metadata)()
    assert isinstance(trial.run_metadata, _TrainingRunMetadata)


def test_rays_job_takes_the_path_of_its_driver_from_this_property() -> None:
    """cluster/launch.Alone keeps the working folder out of the workers' path by it."""
    from ray.job_config import JobConfig

    assert "_py_driver_sys_path" in inspect.getsource(JobConfig)
    assert "_temp_dir" in inspect.getsource(__import__("ray").init)


def test_typers_usage_error_is_the_base_of_its_bad_parameter() -> None:
    """cli/main.py words each as one line."""
    usage: Any = typer.BadParameter.__mro__[1]
    assert usage.__name__ == "UsageError"
    app = typer.Typer(add_completion=False)

    @app.command()
    def main(number: int) -> None: ...

    with pytest.raises(usage):
        app(["--nothing"], standalone_mode=False)
