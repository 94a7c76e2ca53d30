"""The data prepared in a worker, and Tune's loop run over the driver's jobs."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.deadline import HUNG, VARIABLE, bounded, deadline, hung
from pipeline.drivers.driver import Driver
from pipeline.drivers.job import SCRATCH
from pipeline.environment import settle
from pipeline.errors import GansweepError, InputError
from pipeline.schema.base import parse
from pipeline.schema.trial import DataSpec, EvaluationSpec, TrialSpec

# Before ray is imported: what it reads from the environment once.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "1000000")
os.environ.setdefault("TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S", "0")
os.environ.setdefault("RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")  # a call after the end would start a Ray
for pin in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # a local Ray's workers inherit them
    os.environ.setdefault(pin, "1")

settle()

import ray  # noqa: E402
from ray import tune  # noqa: E402
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: E402

from pipeline.cluster.gathering import Gathering  # noqa: E402
from pipeline.cluster.premises import Premises  # noqa: E402
from pipeline.cluster.scheduling import Decisions, Interruption, Jobs  # noqa: E402
from pipeline.cluster.trainable import Trainable  # noqa: E402
from pipeline.drivers.share import Share  # noqa: E402


def prepare(
    data: DataSpec, asked: EvaluationSpec, to_build: Sequence[TrialSpec], premises: Premises, gathering: Gathering
) -> dict[str, Any]:
    """Data, extractor and floor made in a worker, so that the driver needs no torch; what evaluator.prepare says.
    to_build: specs that are built there once, so that what is wrong with them is said before the first trial."""
    file = premises.cache / f"preparing-{socket.gethostname()}-{os.getpid()}-{HUNG}"
    order = {
        "data": data.model_dump(mode="json"),
        "samples": asked.samples,
        "features": asked.features,
        "to_build": [spec.model_dump(mode="json") for spec in to_build],
        "within": deadline(),
        "hung": str(file),
    }
    for tried, node in enumerate((gathering.nodes[0].id, gathering.nodes[-1].id)):
        there = {"scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)} if node else {}
        try:
            prepared: dict[str, Any] = ray.get(_prepare.options(**there).remote(order, premises.sent()))
            break
        except ray.exceptions.RayError as error:
            if (said := hung(file)) is not None:
                file.unlink(missing_ok=True)
                raise GansweepError(f"preparing {data.name} {said} ({VARIABLE}: seconds)") from None
            if tried:  # a worker may be lost once
                why = str(error).strip().splitlines()[-1]
                raise GansweepError(f"preparing {data.name} failed: {why}") from None
    if "error" in prepared:
        raise InputError(prepared["error"])
    return prepared


@ray.remote(num_cpus=1, max_retries=0)
def _prepare(order: dict[str, Any], sent: dict[str, str]) -> dict[str, Any]:
    from pipeline.conformance.preflight import preflight
    from pipeline.metrics.evaluator import Asked
    from pipeline.metrics.evaluator import prepare as prepare_here

    premises = Premises.entered(sent)
    try:
        with bounded(order["within"], Path(order["hung"])):
            data = parse(DataSpec, order["data"], "data")
            asked = Asked(order["samples"], features=order["features"])
            prepared = prepare_here(data, asked, premises.cache, premises.root)
            preflight([parse(TrialSpec, tree, "") for tree in order["to_build"]], premises.cache, premises.root)
        return prepared
    except InputError as error:
        return {"error": str(error)}


def run(driver: Driver, folder: Path, premises: Premises, gathering: Gathering, share: Share) -> None:
    """Tune's loop until the driver is exhausted or stopping. Its own files go to a scratch folder of the sweep's."""
    scratch = folder / SCRATCH
    gathering.tell(driver)
    if gathering.joinable:  # each waits for a node of its own, and none for another's
        os.environ.setdefault("TUNE_MAX_PENDING_TRIALS_PG", "1000")
    try:
        tune.run(
            Trainable,
            name="tune",
            storage_path=str(scratch.absolute()),
            num_samples=10**9,  # the driver says when it is over
            search_alg=Jobs(driver, premises),
            scheduler=Decisions(driver, gathering, share),
            stop=Interruption(driver),
            resources_per_trial=tune.PlacementGroupFactory([share.bundle]),
            reuse_actors=True,
            max_failures=0,  # the driver hands a lost run out again
            raise_on_failed_trial=False,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
            verbose=0,
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def interruptible(driver: Driver) -> Iterator[None]:
    """SIGINT and SIGTERM ask the driver to stop, once; a second one acts as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, frame: Any) -> None:
        driver.stopping = "interrupted"
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
