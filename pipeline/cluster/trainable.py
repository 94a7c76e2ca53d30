"""The trainable: what a Ray actor does with a run. An actor is reused for run after run."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ray import tune

from pipeline.cluster.premises import Premises
from pipeline.deadline import bounded, deadline
from pipeline.drivers.driver import Job, hung_file
from pipeline.faults import DISK_FULL, OUT_OF_MEMORY, SUPERSEDED, classify
from pipeline.record.measurement import Measurement
from pipeline.schema.base import parse
from pipeline.schema.trial import TrialSpec

FAULTS = (OUT_OF_MEMORY, DISK_FULL, SUPERSEDED)
REPORT = "gansweep"  # the one key of a result; its value is JSON, which Tune passes through untouched


class Trainable(tune.Trainable):
    """Tune calls step() for each evaluation. An error of the run is a result, not an exception: so what Tune
    sees fail, and retries, is a lost worker and nothing else."""

    def setup(self, config: dict[str, Any]) -> None:
        self._job = Job(**json.loads(config["job"]))
        self._premises = Premises.entered(config["premises"])
        self._measurements: Iterator[Measurement] | None = None
        self._seconds: list[float] = []  # that the steps of this attempt took

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        began = time.monotonic()
        with bounded(deadline(self._seconds), hung_file(self._job)):
            report = self._report(self._job)
        self._seconds.append(time.monotonic() - began)
        return {REPORT: json.dumps(report), "pid": os.getpid()}

    def _report(self, job: Job) -> dict[str, Any]:
        try:
            if self._measurements is None:
                self._measurements = self._start(job)
            return {"measurement": next(self._measurements).as_dict()}
        except StopIteration:
            return {"reason": "completed", "evidence": {}, "fault": False}
        except (Exception, SystemExit) as error:  # a game's sys.exit() would end the actor
            reason, evidence = classify(error, Path(job.folder))
            self._release()
            return {"reason": reason, "evidence": evidence, "fault": reason in FAULTS}

    def _start(self, job: Job) -> Iterator[Measurement]:
        from pipeline.training.attempt import attempt  # torch is for workers alone
        from pipeline.training.store import Store

        spec = parse(TrialSpec, job.spec, f"trial {job.trial}")
        store = Store(Path(job.folder), attempt=job.attempt, guard=job.check)
        places = self._premises.cache, self._premises.root
        return attempt(spec, job.seed, job.objective, store, *places, job.replicate is not None)

    def cleanup(self) -> None:
        self._release()

    def _release(self) -> None:
        """Lets go of the run: its memory is there for the next one."""
        self._measurements = None
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            torch.cuda.empty_cache()
