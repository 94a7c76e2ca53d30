"""Tune's two hooks, searcher and scheduler, as thin ways into the driver, which decides and records."""

from __future__ import annotations

import json
from typing import Any

from ray.tune import Stopper
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from pipeline.cluster.premises import Premises
from pipeline.cluster.trainable import REPORT
from pipeline.drivers.driver import Driver, Job
from pipeline.record.measurement import Measurement


class Jobs(Searcher):
    """Hands the driver's jobs to Tune. Nothing is told here: a stopped result never reaches a searcher."""

    def __init__(self, driver: Driver, premises: Premises) -> None:
        super().__init__()
        self._driver, self._premises = driver, premises.sent()

    def suggest(self, trial_id: str) -> Any:
        job = self._driver.next_job()
        if job is not None:
            return {"job": job.as_json(), "premises": self._premises}
        return Searcher.FINISHED if self._driver.exhausted else None

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        pass

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the record is what a restart reads."""

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError("a sweep is resumed from its record")


class Decisions(FIFOScheduler):
    """Appends to the record first and decides then, through the driver."""

    def __init__(self, driver: Driver) -> None:
        super().__init__()
        self._driver = driver

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        _forget_finished(tune_controller.get_trials())
        for run in _job(trial).runs:
            self._driver.started(run)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        report, job = json.loads(result[REPORT]), _job(trial)
        run = job.runs[report["run"]]
        if "measurement" in report:
            self._driver.measured(run, Measurement.from_dict(report["measurement"]))
        else:
            end = self._driver.faulted if report["fault"] else self._driver.ended
            end(run, report["reason"], report["evidence"])
        return str(TrialScheduler.STOP if self._driver.over(job) else TrialScheduler.CONTINUE)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """A worker was lost. Tune forgets the trial; the driver hands its runs out again, in another one."""
        for run in _job(trial).runs:
            if not self._driver.over(Job((run,))):
                self._driver.lost(run, str(trial.get_pickled_error() or ""))

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        pass


class Interruption(Stopper):
    """Ends Tune's loop as soon as the driver is stopping."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._driver.stopping is not None

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles it into a snapshot of its own, which nothing reads


def _forget_finished(trials: list[Trial]) -> None:
    """Tune keeps all that it knew of each trial, and looks through them at each step: a long sweep would grow by tens
    of MiB and slow down. The record has what anyone reads."""
    for trial in [trial for trial in trials if trial.is_finished()]:
        trials.remove(trial)
        trial.config.clear()
        trial.evaluated_params.clear()
        trial.experiment_tag = ""
        trial.run_metadata = type(trial.run_metadata)()


def _job(trial: Trial) -> Job:
    return Job.from_json(trial.config["job"])
