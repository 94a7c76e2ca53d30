"""A sweep as a job of a Ray cluster that is elsewhere, through its dashboard: submitted, followed, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient

from pipeline.errors import GansweepError, Unreachable, one_line

ANSWER = 15.0  # seconds in which a dashboard must answer
PATIENCE = 120.0  # seconds for one that has answered before
LOOK = 1.0  # seconds
STOPPING = 90  # seconds that Ray leaves a driver which is asked to end: workers, tracker
CHATTY = ("ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk", "ray._private.runtime_env.packaging")
BUSY = "No available agent"  # what a head says that has just come up
SWEEP = "gansweep"  # in a job's metadata: which sweep it drives


class Dashboard:
    """Of one cluster."""

    def __init__(self, address: str) -> None:
        """Raises Unreachable where nothing answers as a dashboard of our Ray does, or wants another token."""
        self.address = address
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
        _check(address)
        try:
            self._client = JobSubmissionClient(address)
        except Exception as error:  # whatever requests, its token or a lacking package raises
            raise _unreachable(address, error) from None

    def job_of(self, sweep: str) -> str | None:
        """The job that drives a sweep now."""
        for job in self._done(self._client.list_jobs):
            if (job.metadata or {}).get(SWEEP) == sweep and not job.status.is_terminal():
                return str(job.submission_id)
        return None

    def submit(self, sweep: str, folder: Path, command: str) -> str:
        """Has `command` run in a copy of the folder, on the head; returns the job's id."""
        environment = {"working_dir": str(folder), "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(STOPPING)}}
        job = f"gansweep-{sweep}-{uuid.uuid4().hex[:6]}"
        order: dict[str, Any] = {"submission_id": job, "metadata": {SWEEP: sweep}, "runtime_env": environment}
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return str(self._client.submit_job(entrypoint=command, **order))
            except Exception as error:
                if BUSY not in str(error) or time.monotonic() > end:
                    raise _unreachable(self.address, error) from None
            time.sleep(LOOK)

    def follow(self, job: str, say: Callable[[str], None]) -> int:
        """Says what the job says until it is over; returns its exit code, 130 where it was stopped."""
        said, heard = 0, time.monotonic()
        while True:
            with contextlib.suppress(Exception):  # the connection broke, in whatever library: it is made again
                said = asyncio.run(self._tail(job, said, say))
            try:
                about: JobDetails = self._client.get_job_info(job)
                heard = time.monotonic()
            except (RuntimeError, OSError) as error:
                if time.monotonic() - heard > PATIENCE:
                    raise Unreachable(
                        f"the dashboard at {self.address} does not answer any more ({one_line(error)}); the job {job} "
                        "may be at work all the same, the same command sees to it"
                    ) from None
            else:
                if about.status.is_terminal():
                    return _exit_code(about)
            time.sleep(LOOK)

    async def _tail(self, job: str, said: int, say: Callable[[str], None]) -> int:
        """Says what of the job's output was not said, and returns how much that is by now."""
        at = 0
        async for text in self._client.tail_job_logs(job):
            if fresh := text[max(0, said - at) :]:
                say(fresh)
            at += len(text)
        return max(said, at)

    def stop(self, job: str) -> None:
        """Asks it to end."""
        self._done(lambda: self._client.stop_job(job))

    def _done(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except Exception as error:
            raise _unreachable(self.address, error) from None


def _exit_code(about: JobDetails) -> int:
    if about.status == JobStatus.STOPPED:
        return 130
    if about.status == JobStatus.SUCCEEDED:
        return 0
    if about.driver_exit_code is None:  # it did not come to run anything
        raise GansweepError(f"the job {about.submission_id} failed: {' '.join(str(about.message).split())[:400]}")
    return int(about.driver_exit_code)


def _check(address: str) -> None:
    """Ray's client waits without end for who does not answer."""
    try:
        with urllib.request.urlopen(f"{address}/api/version", timeout=ANSWER) as answer:
            theirs = json.load(answer)["ray_version"]
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            return  # it wants a token, which the client offers
        raise Unreachable(f"{address} answers {error.code}, as a dashboard of Ray does not") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreachable(address, error) from None
    if theirs != ray.__version__:
        raise Unreachable(
            f"the cluster at {address} is of another version: ray {theirs} there, {ray.__version__} here; install one "
            "for all"
        )


def _unreachable(address: str, error: BaseException) -> Unreachable:
    said = " ".join(str(error).split()).removesuffix(".")[:400] or type(error).__name__
    if "ray[default]" in said:
        return Unreachable("Ray's jobs are not installed here; valid: pip install gansweep[cluster] -c constraints.txt")
    if any(word in said for word in ("401", "403", "oken")):
        return Unreachable(
            f"the dashboard at {address} wants another token than it is offered; valid: that of its head, by "
            "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH=FILE in the environment"
        )
    return Unreachable(
        f"the dashboard at {address} cannot be reached: {said}; it is there where the head has ray[default] and "
        "--include-dashboard true, and port 8265 is led here, as by ssh -L 8265:localhost:8265 HEAD"
    )
