"""Tune's two hooks, searcher and scheduler, as thin ways into the driver, which decides and records."""

from __future__ import annotations

import json
import time
from typing import Any

import ray
from ray.tune import PlacementGroupFactory, Stopper
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from pipeline.cluster.demand import NODE_ID, Demand
from pipeline.cluster.gathering import Gathering
from pipeline.cluster.premises import Premises
from pipeline.cluster.trainable import REPORT
from pipeline.drivers.driver import Driver
from pipeline.drivers.job import Job
from pipeline.drivers.share import Share
from pipeline.record.measurement import Measurement

LOOK = 1.0  # seconds


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

    def __init__(self, driver: Driver, gathering: Gathering, share: Share) -> None:
        super().__init__()
        self._driver, self._gathering = driver, gathering
        self._bundle, self._demand = share.bundle, Demand(share)
        self._looked = 0.0
        self._begun: set[str] = set()  # trials whose worker is there
        self._given_up: dict[str, str] = {}  # by trial, why its worker was ended

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        _forget_finished(tune_controller.get_trials())
        runs = _job(trial).runs
        if node := runs[0].node:
            there = [{NODE_ID: node}]
            trial.update_resources(PlacementGroupFactory([self._bundle], bundle_label_selector=there))
        for run in runs:
            self._driver.started(run)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Tune asks at each of its steps, some ten times a second."""
        if time.monotonic() - self._looked > LOOK:
            self._look(tune_controller)
            self._looked = time.monotonic()
        return super().choose_trial_to_run(tune_controller)

    def _look(self, tune_controller: Any) -> None:
        """What Tune does not look at: nodes that join and leave, workers that are frozen, and trials that wait for a
        node which is gone."""
        self._gathering.tell(self._driver)
        self._demand.ask(self._driver.backlog() if self._gathering.welcoming else 0)
        for trial in list(tune_controller.get_trials()):
            if trial.is_finished():
                continue
            runs, actor = _job(trial).runs, trial.temporary_state.ray_actor
            if actor is None:
                if trial.status == Trial.PENDING and self._gathering.gone(runs[0].node):
                    tune_controller.stop_trial(trial)
                continue
            if trial.trial_id not in self._begun:
                self._begun.add(trial.trial_id)
                self._driver.begun(runs)
            if trial.trial_id not in self._given_up and (why := self._driver.overdue(runs)) is not None:
                self._given_up[trial.trial_id] = why
                ray.kill(actor)  # one that is frozen is ended by its node, some seconds later

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
        self._lost(trial, self._given_up.pop(trial.trial_id, str(trial.get_pickled_error() or "")))

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        self._begun.discard(trial.trial_id)

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """It waited for a node that is gone."""
        self._lost(trial, f"{_job(trial).runs[0].host} was gone before it began")

    def _lost(self, trial: Trial, why: str) -> None:
        self._begun.discard(trial.trial_id)
        self._gathering.lost(self._driver)
        for run in _job(trial).runs:
            if not self._driver.over(Job((run,))):
                self._driver.lost(run, why)


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
