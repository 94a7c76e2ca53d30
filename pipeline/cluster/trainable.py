"""The trainable: what a Ray actor does with a run. An actor is reused for run after run."""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

from ray import tune

from pipeline.cluster.keeping import Keeping
from pipeline.cluster.output import Output
from pipeline.cluster.premises import Premises
from pipeline.deadline import deadline
from pipeline.drivers.job import Attempt, Job, output_file
from pipeline.errors import GansweepError, NodeFault
from pipeline.faults import DISK_FULL, NODE, OUT_OF_MEMORY, SUPERSEDED, classify, of_node
from pipeline.record.measurement import Measurement
from pipeline.record.runs import Run
from pipeline.record.state import SweepState
from pipeline.schema.base import parse
from pipeline.schema.trial import TrialSpec
from pipeline.training.group import Group

FAULTS = (OUT_OF_MEMORY, DISK_FULL, SUPERSEDED, NODE)
REPORT = "gansweep"  # the one key of a result; its value is JSON, which Tune passes through untouched


class Trainable(tune.Trainable):
    """Tune calls step() for each evaluation. An error of a run is a result, not an exception: so what Tune
    sees fail, and retries, is a lost worker and nothing else."""

    def setup(self, config: dict[str, Any]) -> None:
        self._job = Job.from_json(config["job"])
        self._premises = Premises.entered(config["premises"])
        self._kept = [Keeping(run, self._premises.storage) for run in self._job.runs]
        self._output = [Output(output_file(kept.attempt, kept.folder), kept.check) for kept in self._kept]
        self._group = Group([functools.partial(self._start, run) for run in self._job.runs])
        self._seconds: list[list[float]] = [[] for _ in self._job.runs]  # that the evaluations of each took
        self._over: set[int] = set()  # runs that came to their end by themselves

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._leave()
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        if len(self._group.runs) > 1:  # else Tune does not call again
            for run in self._ended():
                self._group.drop(run)
        run, began = self._group.turn, time.monotonic()
        with self._output[run].taken(), self._kept[run].bounded(deadline(self._seconds[run])):
            report = self._report(run)
        self._seconds[run].append(time.monotonic() - began)
        return {REPORT: json.dumps({"run": run, **report}), "pid": os.getpid()}

    def _report(self, run: int) -> dict[str, Any]:
        try:
            _, measurement = next(self._group)
            self._kept[run].put()
            if measurement is None:
                return {"reason": "completed", "evidence": {}, "fault": False}
            if measurement.images >= self._job.runs[run].spec["budget"]["images"]:
                self._over.add(run)
            return {"measurement": measurement.as_dict()}
        except (Exception, SystemExit) as error:  # a game's sys.exit() would end the actor
            folder = self._kept[run].folder
            reason, evidence = classify(error, folder)
            if reason not in FAULTS and of_node(error, folder, self._premises.files):
                reason, evidence = NODE, {"error": evidence["error"]}
            if (name := self._output[run].name) is not None:
                evidence["output"] = name
            self._group.drop(run)
            _free_memory()
            with contextlib.suppress(GansweepError, OSError):
                self._kept[run].put()  # the traceback
            return {"reason": reason, "evidence": evidence, "fault": reason in FAULTS}

    def _start(self, run: Attempt) -> Iterator[Measurement]:
        from pipeline.training.attempt import attempt, prepared_data  # torch is for workers alone
        from pipeline.training.loop import Task
        from pipeline.training.store import Store

        spec = parse(TrialSpec, run.spec, f"trial {run.trial}")
        kept = self._kept[self._job.runs.index(run)]
        kept.begin()
        store = Store(kept.folder, attempt=run.attempt, guard=kept.check)
        places = self._premises.cache, self._premises.root
        features = prepared_data(spec, *places)[1]
        if run.features is not None and features != run.features:
            raise NodeFault(
                f"its features are {features}, and the sweep is measured in {run.features}: another type of CPU, "
                "or another build, learns others; valid: nodes of one type, or a cache that all share"
            )
        task = Task(spec, run.seed, run.objective, run.replicate is not None, run.recorded)
        return attempt(task, store, *places, threads=self._premises.threads)

    def cleanup(self) -> None:
        self._leave()

    def _ended(self) -> dict[int, Run]:
        """The runs of the job that the driver has ended, by their places: what it decides is in the record first."""
        state = SweepState.fold(self._kept[0].lines())
        runs = {place: state.run(each.trial, each.seed) for place, each in enumerate(self._job.runs)}
        return {place: run for place, run in runs.items() if run is not None and run.end_reason is not None}

    def _leave(self) -> None:
        """Lets go of the job, whose memory is there for the next one, and of the checkpoints that its end spares. What
        cannot be removed is left: the run is over, and nobody waits for it."""
        self._group = Group([])
        _free_memory()
        with contextlib.suppress(GansweepError, OSError):
            ended = self._ended() if len(self._over) < len(self._kept) else {}
            for place, run in ended.items():
                if run.end_reason == "rung":
                    self._keep_best(self._kept[place], run)
        for kept in self._kept:
            with contextlib.suppress(GansweepError, OSError):
                kept.put()
            kept.close()

    def _keep_best(self, kept: Keeping, run: Run) -> None:
        """Of a run that a rung stopped, which nothing goes on from, the best checkpoint alone."""
        from pipeline.training.store import Store

        best = run.best(kept.attempt.objective)
        store = Store(kept.folder, attempt=kept.attempt.attempt, guard=kept.check)
        name = store.at(best[0]) if best else None
        store.keep(best=name, last=0 if name else 1)


def _free_memory() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
