"""Ray brought up, the data prepared in a worker, and Tune's loop run over the driver's jobs."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from pipeline.deadline import HUNG, VARIABLE, bounded, deadline, hung
from pipeline.drivers.driver import SCRATCH, Driver
from pipeline.environment import LOCAL, Address, answers, settle, temporary
from pipeline.environment import address as address_of
from pipeline.errors import GansweepError, InputError, Unreachable
from pipeline.schema.base import parse
from pipeline.schema.trial import DataSpec, EvaluationSpec, TrialSpec

PATIENCE = 10.0  # seconds in which a cluster must answer
OBJECT_STORE = 200 * 2**20  # bytes; results are small, data is read by each worker from its cache

# Before ray is imported: what it reads from the environment once.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "1000000")
os.environ.setdefault("TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S", "0")
os.environ.setdefault("RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
PINS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # one thread a run: two gain nothing and suffer where cores are shared
for pin in PINS:
    os.environ.setdefault(pin, "1")

settle()

import ray  # noqa: E402
from ray import tune  # noqa: E402
from ray.job_config import JobConfig  # noqa: E402

from pipeline.cluster.premises import Premises  # noqa: E402
from pipeline.cluster.scheduling import Decisions, Interruption, Jobs  # noqa: E402
from pipeline.cluster.sessions import kept  # noqa: E402
from pipeline.cluster.trainable import Trainable  # noqa: E402
from pipeline.cluster.watch import Watch  # noqa: E402


class Alone(JobConfig):
    """A job whose workers look for modules where they are installed alone: Ray puts the driver's working folder before
    all others, and somebody may have a pipeline.py there, or a torch.py."""

    @property
    def _py_driver_sys_path(self) -> list[str]:
        return []  # a new one each time: what Ray adds to it is not there when it is read

    @_py_driver_sys_path.setter
    def _py_driver_sys_path(self, value: list[str]) -> None:
        pass


def cpus() -> int:
    """The CPUs that this process may use; Ray misreads them under some cgroup limits."""
    return len(os.sched_getaffinity(0))


@contextmanager
def connected(address: str | None, gpus_per_trial: float, abandon: Callable[[], None]) -> Iterator[Watch]:
    """A Ray of our own on this machine, or the cluster at `address`, for the time of the block, and a watch over it
    that calls `abandon` where it is gone and this process cannot be stopped in another way.

    Raises Unreachable where the cluster does not answer or has no GPU that was asked for.
    """
    logging.getLogger("ray").setLevel(logging.WARNING)
    named = address_of(address)
    if named.cluster:
        _check_listens(named)
    temporary_folder = None if named.cluster else str(temporary()[0])
    folder: Path | None = None  # of a Ray of our own
    try:
        if named.cluster:
            pinned = {"env_vars": {name: os.environ[name] for name in PINS}}  # a local Ray's workers inherit them
            ray.init(
                address=named.cluster,
                log_to_driver=False,
                logging_level=logging.WARNING,
                job_config=Alone(runtime_env=pinned),
            )
        else:
            started: Any = ray.init(
                address=LOCAL,  # whatever RAY_ADDRESS says, and whoever has a Ray here
                job_config=Alone(),
                num_cpus=cpus(),
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.WARNING,
                object_store_memory=OBJECT_STORE,
                _temp_dir=temporary_folder,
            )
            folder = Path(started.address_info["session_dir"])
    except (OSError, RuntimeError, ValueError) as error:  # of OSErrors: no answer, no room, no right
        where = f"the cluster at {named.said}" if named.cluster else "Ray on this machine"
        said = str(error).strip().splitlines()[0].removesuffix(".")
        way_out = f"; {named.way_out}" if named.cluster else ""
        if named.cluster and "RAY_AUTH_MODE" not in os.environ:  # Ray offers its token where it is told to alone
            way_out = (
                f"; if it wants a token: RAY_AUTH_MODE=token in the environment, else {way_out.removeprefix('; ')}"
            )
        raise Unreachable(f"{where} cannot be reached: {said}{way_out}") from None
    session: AbstractContextManager[None] = kept(folder) if folder else nullcontext()
    watch = Watch(abandon)
    with session, _shut_down(watch):
        have = ray.cluster_resources().get("GPU", 0)
        if gpus_per_trial > have:
            raise Unreachable(
                f"--gpus-per-trial {gpus_per_trial}: the cluster has {have:g} GPUs; leave it out to train on CPUs"
            )
        yield watch


@contextmanager
def _shut_down(watch: Watch) -> Iterator[None]:
    try:
        yield
    finally:
        watch.leave()
        ray.shutdown()
        watch.over()


def _check_listens(named: Address) -> None:
    """Ray itself tries for minutes where nobody listens. Raises InputError for what is no address."""
    address = str(named.cluster)
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise InputError(f'{named.named_by}: found "{address}"; valid: auto, local, HOST:PORT or ray://HOST:PORT')
    if said := answers(host.strip("[]"), int(port), PATIENCE):
        raise Unreachable(f"the cluster at {named.said} cannot be reached: {said}; {named.way_out}")


def slots(gpus_per_trial: float) -> int:
    """How many runs fit at a time: a CPU each, and their share of a GPU where they ask for one."""
    resources = ray.cluster_resources()
    fit = int(resources.get("CPU", 1))
    return max(1, min(fit, int(resources.get("GPU", 0) / gpus_per_trial)) if gpus_per_trial else fit)


def prepare(data: DataSpec, asked: EvaluationSpec, to_build: Sequence[TrialSpec], premises: Premises) -> dict[str, Any]:
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
    for last in (False, True):
        try:
            found: dict[str, Any] = ray.get(_prepare.remote(order, premises.sent()))
            break
        except ray.exceptions.RayError as error:
            if (said := hung(file)) is not None:
                file.unlink(missing_ok=True)
                raise GansweepError(f"preparing {data.name} {said} ({VARIABLE}: seconds)") from None
            if last:  # a worker may be lost once
                why = str(error).strip().splitlines()[-1]
                raise GansweepError(f"preparing {data.name} failed: {why}") from None
    if "error" in found:
        raise InputError(found["error"])
    return found


@ray.remote(num_cpus=1, max_retries=0)
def _prepare(order: dict[str, Any], sent: dict[str, str]) -> dict[str, Any]:
    from pipeline.conformance.preflight import preflight
    from pipeline.metrics.evaluator import prepare as prepare_here

    premises = Premises.entered(sent)
    try:
        with bounded(order["within"], Path(order["hung"])):
            data = parse(DataSpec, order["data"], "data")
            found = prepare_here(data, order["samples"], premises.cache, premises.root, order["features"])
            preflight([parse(TrialSpec, tree, "") for tree in order["to_build"]], premises.cache, premises.root)
        return found
    except InputError as error:
        return {"error": str(error)}


def run(driver: Driver, folder: Path, premises: Premises, gpus_per_trial: float) -> None:
    """Tune's loop until the driver is exhausted or stopping. Its own files go to a scratch folder of the sweep's."""
    scratch = folder / SCRATCH
    try:
        tune.run(
            Trainable,
            name="tune",
            storage_path=str(scratch.absolute()),
            num_samples=10**9,  # the driver says when it is over
            search_alg=Jobs(driver, premises),
            scheduler=Decisions(driver),
            stop=Interruption(driver),
            resources_per_trial={"cpu": 1, "gpu": gpus_per_trial},
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
