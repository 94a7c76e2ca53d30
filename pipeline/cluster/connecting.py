"""Ray brought up on this machine, or the cluster at an address: what is wrong with it is one line, and soon."""

from __future__ import annotations

import json
import logging
import os
import platform
import subprocess
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import psutil
import ray
from ray.job_config import JobConfig

from pipeline.children import python
from pipeline.cluster import knock, reaper, tokens
from pipeline.cluster.sessions import kept
from pipeline.cluster.watch import Watch
from pipeline.environment import LOCAL, Address, answers, temporary
from pipeline.environment import address as address_of
from pipeline.errors import InputError, Unreachable

HEAD = "gcs_server"  # what a head's process is called
PATIENCE = 10.0  # seconds in which somebody must take the connection
ANSWER = 18.0  # seconds in which what is there must answer as a Ray head does
OBJECT_STORE = 200 * 2**20  # bytes; results are small, data is read by each worker from its cache
NO_TOKEN = "InvalidAuthToken"  # of a head that wants one, and was offered none or another
PINS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # one thread a run: two gain nothing and suffer where cores are shared


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


def chosen(address: str | None) -> str | None:
    """Which Ray a sweep takes, in words, where somebody may mean another; None where it was said, or there is one."""
    named = address_of(address)
    if named.cluster:
        return None if address else f"the cluster at {named.said} is used; a Ray of its own: --address {LOCAL}"
    if address == LOCAL or not any(each.info["name"] == HEAD for each in psutil.process_iter(["name"])):
        return None
    return "a Ray runs on this machine, and the sweep has one of its own; that: --address auto"


@contextmanager
def connected(address: str | None, abandon: Callable[[], None]) -> Iterator[Watch]:
    """A Ray of our own on this machine, or the cluster at `address`, for the time of the block, and a watch over it
    that calls `abandon` where it is gone and this process cannot be stopped in another way.

    Raises Unreachable where the cluster does not answer, is of other versions, wants another token, or has no node on
    this machine, and InputError for what is no address.
    """
    logging.getLogger("ray").setLevel(logging.WARNING)
    named = address_of(address)
    if named.cluster:
        _check(named)
    temporary_folder = None if named.cluster else str(temporary()[0])
    mine = set(psutil.Process().children(recursive=True))
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
    except (Exception, SystemExit) as error:  # no answer, no room, no right, no time: of any type, and Ray exits itself
        _end_begun(mine, temporary_folder)
        raise _unreachable(named, " ".join(str(error).split()) or type(error).__name__) from None
    session: AbstractContextManager[None] = kept(folder) if folder else nullcontext()
    watch = Watch(abandon)
    with session, _shut_down(watch):
        yield watch


def _end_begun(before: Collection[psutil.Process], temporary_folder: str | None) -> None:
    """Of a Ray of our own that did not come up nothing is left: neither its processes nor its folder."""
    with suppress(Exception):  # it was not up
        ray.shutdown()
    if temporary_folder is None:
        return
    for each in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if each not in before and temporary_folder in " ".join(each.cmdline()):
                each.kill()
                each.wait(PATIENCE)
    for folder in Path(temporary_folder).glob(f"session_*_{os.getpid()}"):
        reaper.remove(folder)


@contextmanager
def _shut_down(watch: Watch) -> Iterator[None]:
    try:
        yield
    finally:
        watch.leave()
        ray.shutdown()
        watch.over()


def _unreachable(named: Address, said: str) -> Unreachable:
    said = said.removesuffix(".")
    if not named.cluster:
        return Unreachable(f"Ray on this machine cannot be reached: {said}")
    if NO_TOKEN in said:
        return Unreachable(
            f"the cluster at {named.said} wants another token than it is offered; valid: that of its head, by "
            "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH=FILE in the environment"
        )
    way_out = named.way_out
    if tokens.MODE not in os.environ:
        way_out = f"if it wants a token: RAY_AUTH_MODE=token in the environment, else {way_out}"
    return Unreachable(f"the cluster at {named.said} cannot be reached: {said[:400]}; {way_out}")


def _check(named: Address) -> None:
    """Ray itself tries for minutes where nobody listens, and for ever where another server does. Raises InputError for
    what is no address, Unreachable for what is no cluster of ours."""
    address = str(named.cluster)
    if "://" in address:
        host = address.partition("://")[2].partition("/")[0].rpartition(":")[0] or "HOST"
        raise InputError(
            f'{named.named_by}: found "{address}", of a client or a dashboard, which cannot be driven from here; '
            f"valid: on a node of the cluster auto or {host}:6379, from elsewhere: gansweep run ... --address "
            f"http://{host}:8265"
        )
    if address != "auto":
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise InputError(f'{named.named_by}: found "{address}"; valid: auto, local or HOST:PORT')
        if said := answers(host.strip("[]"), int(port), PATIENCE):
            raise _unreachable(named, said)
    answer = _knock(address)
    if NO_TOKEN in answer.get("error", "") and answer.get("joined") and tokens.offered():
        answer = _knock(address)
    if "error" in answer:
        raise _unreachable(named, answer["error"])
    mine = {"ray": ray.__version__, "python": platform.python_version()}
    if other := [
        f"{name} {theirs} there, {mine[name]} here"
        for name, theirs in answer["versions"].items()
        if theirs and theirs != mine[name]
    ]:
        raise Unreachable(f"the cluster at {named.said} is of another version: {', '.join(other)}; install one for all")
    if not answer["here"]:
        raise Unreachable(
            f"the cluster at {named.said} has no node on this machine, and a driver wants one: start it on a node of "
            f"the cluster, or make this one a node that trains nothing: ray start --address {address} --num-cpus 0"
        )


def _knock(address: str) -> dict[str, Any]:
    try:
        done = subprocess.run(
            python(str(knock.__file__), address), capture_output=True, text=True, timeout=ANSWER, check=False
        )
    except subprocess.TimeoutExpired:
        return {"error": f"what listens there does not answer as a Ray head does within {ANSWER:.0f} s"}
    try:
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return {"error": (done.stderr.strip().splitlines() or ["it ends the connection"])[-1][:300]}
    return answer
