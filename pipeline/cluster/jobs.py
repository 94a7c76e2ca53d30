"""A sweep as a job of a Ray cluster that is elsewhere, through its dashboard: submitted, followed, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import shlex
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import ray
from ray._private.authentication.http_token_authentication import get_auth_headers_if_auth_enabled
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient

from pipeline.environment import is_http
from pipeline.errors import GansweepError, InputError, Unreachable, one_line

ANSWER = 15.0  # seconds in which a dashboard must answer
PATIENCE = 120.0  # seconds for one that has answered before
LOOK = 1.0  # seconds
STOPPING = 90  # seconds that Ray leaves a driver which is asked to end: workers, tracker
CHATTY = ("ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk", "ray._private.runtime_env.packaging")
BUSY = "No available agent"  # what a head says that has just come up
SWEEP, HOME, STORAGE = "gansweep", "gansweep-home", "gansweep-storage"  # in a job's metadata: which sweep it drives
WANTS_TOKEN = re.compile(r"\b(401|403|token)\b", re.IGNORECASE)


@dataclass(frozen=True)
class SweepThere:
    """A sweep as the jobs of a cluster tell it: two people's may have one name. home: where sweeps are on the cluster's
    machines; storage: "" where it has none; None: whichever."""

    name: str
    home: str | None = None
    storage: str | None = None

    @property
    def options(self) -> str:
        """What tells it from others of its name: a storage does so alone."""
        place = {"--storage": self.storage} if self.storage else {"--home": self.home}
        return " ".join(f"{option} {shlex.quote(value)}" for option, value in place.items() if value)

    def matches(self, wanted: SweepThere) -> bool:
        asked = ((wanted.home, self.home), (wanted.storage, self.storage))
        return self.name == wanted.name and all(one is None or one == mine for one, mine in asked)


class Dashboard:
    """Of one cluster."""

    def __init__(self, address: str) -> None:
        """Raises InputError for what is no address of one, and Unreachable where nothing answers as a dashboard of our
        Ray does, or wants another token."""
        self.address = address = _address(address)
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
        _check(address)
        try:
            self._client = JobSubmissionClient(address)
        except Exception as error:  # whatever requests, its token or a lacking package raises
            raise _unreachable(address, error) from None

    def jobs_of(self, wanted: SweepThere) -> dict[str, SweepThere]:
        """The sweeps that are so and are driven now, by their jobs."""
        jobs: dict[str, SweepThere] = {}
        for job in self._done(self._client.list_jobs):
            said = job.metadata or {}
            if SWEEP in said and not job.status.is_terminal():
                jobs[str(job.submission_id)] = SweepThere(said[SWEEP], said.get(HOME), said.get(STORAGE))
        return {job: sweep for job, sweep in jobs.items() if sweep.matches(wanted)}

    def submit(self, sweep: SweepThere, folder: Path, command: str) -> str:
        """Has `command` run in a copy of the folder, on the head; returns the job's id."""
        environment = {"working_dir": str(folder), "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(STOPPING)}}
        job = f"gansweep-{sweep.name}-{uuid.uuid4().hex[:6]}"
        about = {SWEEP: sweep.name, HOME: sweep.home or "", STORAGE: sweep.storage or ""}
        order: dict[str, Any] = {"submission_id": job, "metadata": about, "runtime_env": environment}
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
        output, heard = _Output(say), time.monotonic()
        while True:
            with contextlib.suppress(Exception):  # the connection broke, in whatever library: it is made again
                asyncio.run(output.hear(self._client.tail_job_logs(job)))
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

    def stop(self, job: str) -> None:
        """Asks it to end."""
        self._done(lambda: self._client.stop_job(job))

    def _done(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except Exception as error:
            raise _unreachable(self.address, error) from None


class _Output:
    """What a job says, said once: each connection tells it from the beginning."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._said = say, 0

    async def hear(self, pieces: AsyncIterator[str]) -> None:
        at = 0
        async for text in pieces:
            if fresh := text[max(0, self._said - at) :]:
                self._say(fresh)
            at += len(text)
            self._said = max(self._said, at)


def _exit_code(about: JobDetails) -> int:
    if about.status == JobStatus.STOPPED:
        return 130
    if about.status == JobStatus.SUCCEEDED:
        return 0
    if about.driver_exit_code is None:  # it did not come to run anything
        raise GansweepError(f"the job {about.submission_id} failed: {' '.join(str(about.message).split())[:400]}")
    return int(about.driver_exit_code)


def _address(text: str) -> str:
    """Without a slash at its end. Raises InputError for what is none."""
    if "@" in text:  # it is not repeated
        raise InputError("--address: found a dashboard's with a user or a password; valid: http://HEAD:8265, without")
    if not is_http(text) or any(mark in text for mark in "?#"):
        raise InputError(f'--address: found "{text}"; valid: http://HEAD:8265')
    return text.rstrip("/")


def _check(address: str) -> None:
    """Ray's client waits without end for who does not answer, and asks for no version in particular. A token is offered
    where RAY_AUTH_MODE says so alone: who answers may be anybody."""
    try:
        asked = urllib.request.Request(f"{address}/api/version", headers=get_auth_headers_if_auth_enabled({}))
        with urllib.request.urlopen(asked, timeout=ANSWER) as answer:
            theirs = json.load(answer)["ray_version"]
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            raise _unreachable(address, error) from None
        raise Unreachable(f"{address} answers {error.code}, as a dashboard of Ray does not") from None
    except OSError as error:
        raise _unreachable(address, error) from None
    except (HTTPException, ValueError, KeyError, TypeError):
        other = "what listens there is something else (Ray itself listens at 6379)"
        raise _unreachable(address, OSError(other)) from None
    if theirs != ray.__version__:
        raise Unreachable(
            f"the cluster at {address} is of another version: ray {theirs} there, {ray.__version__} here; install one "
            "for all"
        )


def _unreachable(address: str, error: BaseException) -> Unreachable:
    said = " ".join(str(error).split()).removesuffix(".")[:400] or type(error).__name__
    if "ray[default]" in said:
        return Unreachable("Ray's jobs are not installed here; valid: pip install gansweep[cluster] -c constraints.txt")
    if WANTS_TOKEN.search(said.replace(address, "")):
        return Unreachable(
            f"the dashboard at {address} wants another token than it is offered; valid: that of its head, by "
            "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH=FILE in the environment"
        )
    return Unreachable(
        f"the dashboard at {address} cannot be reached: {said}; it is there where the head has ray[default] and "
        "--include-dashboard true, and port 8265 is led here, as by ssh -L 8265:localhost:8265 HEAD"
    )
