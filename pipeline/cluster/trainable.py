"""The trainable: what a Ray actor does with a run. An actor is reused for run after run."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ray import tune

from pipeline import plugin
from pipeline.faults import DISK_FULL, OUT_OF_MEMORY, SUPERSEDED, classify
from pipeline.home import share
from pipeline.measurement import Measurement
from pipeline.runs import Job
from pipeline.spec.base import parse
from pipeline.spec.trial import TrialSpec

FAULTS = (OUT_OF_MEMORY, DISK_FULL, SUPERSEDED)
REPORT = "gansweep"  # the one key of a result; its value is JSON, which Tune passes through untouched


class Run(tune.Trainable):
    """Tune calls step() for each evaluation. An error of the run is a result, not an exception: so what Tune
    sees fail, and retries, is a lost worker and nothing else."""

    def setup(self, config: dict[str, Any]) -> None:
        self._job = Job(**json.loads(config["job"]))
        self._cache, self._root = Path(config["cache"]), Path(config["root"]) if config["root"] else None
        plugin.pin(json.loads(config["code"]))
        share(self._cache.parent)
        self._measurements: Iterator[Measurement] | None = None

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        job = self._job
        try:
            if self._measurements is None:
                self._measurements = self._start(job)
            report: dict[str, Any] = {"measurement": next(self._measurements).as_dict()}
        except StopIteration:
            report = {"reason": "completed", "evidence": {}, "fault": False}
        except (Exception, SystemExit) as error:  # a game's sys.exit() would end the actor
            reason, evidence = classify(error, Path(job.folder))
            report = {"reason": reason, "evidence": evidence, "fault": reason in FAULTS}
            self._release()
        return {REPORT: json.dumps(report), "pid": os.getpid()}

    def _start(self, job: Job) -> Iterator[Measurement]:
        from pipeline.training.run import run  # torch is for workers alone
        from pipeline.training.store import Store

        spec = parse(TrialSpec, job.spec, f"trial {job.trial}")
        store = Store(Path(job.folder), attempt=job.attempt, guard=job.check)
        return run(spec, job.seed, job.objective, store, self._cache, self._root, job.replicate is not None)

    def cleanup(self) -> None:
        self._release()

    def _release(self) -> None:
        """Lets go of the run: its memory is there for the next one."""
        self._measurements = None
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            torch.cuda.empty_cache()
