"""What answers as a dashboard of Ray does, over real sockets and without a cluster: version, jobs and their logs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from aiohttp import web

INFO = {"type": "SUBMISSION", "job_id": None, "message": "", "entrypoint": "true"}


class StandIn:
    """`jobs`: in the order of their submission. `log`: what each says, piece by piece; `breaks`: connections to it that
    end after one piece more each. A job whose log was told to its end is over. `failing`: what is said to a stop while
    it is set. `token`: without it there is no answer. `version`: of its Ray."""

    def __init__(self) -> None:
        self.token, self.version = "", ray.__version__
        self.jobs: list[dict[str, Any]] = []
        self.log, self.breaks, self.failing = ["one\n", "two\n", "three\n"], 0, ""
        self._connections = 0
        self.address = ""

    def running(self) -> list[dict[str, Any]]:
        return [job for job in self.jobs if job["status"] == "RUNNING"]

    def application(self) -> web.Application:
        made = web.Application()
        made.router.add_get("/api/version", self._version)
        made.router.add_get("/api/packages/gcs/{name}", self._version)  # it is there
        made.router.add_get("/api/jobs/", self._list)
        made.router.add_post("/api/jobs/", self._submit)
        made.router.add_get("/api/jobs/{job}", self._about)
        made.router.add_post("/api/jobs/{job}/stop", self._stop)
        made.router.add_get("/api/jobs/{job}/logs/tail", self._tail)
        return made

    def _job(self, request: web.Request) -> dict[str, Any]:
        return next(job for job in self.jobs if job["submission_id"] == request.match_info["job"])

    async def _version(self, request: web.Request) -> web.Response:
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.Response(status=401, text="Unauthorized: Missing authentication token")
        return web.json_response({"version": "4", "ray_version": self.version, "ray_commit": ""})

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response(self.jobs)

    async def _about(self, request: web.Request) -> web.Response:
        return web.json_response(self._job(request))

    async def _submit(self, request: web.Request) -> web.Response:
        said = await request.json()
        job = {name: said[name] for name in ("submission_id", "metadata", "entrypoint")}
        self.jobs.append({**INFO, **job, "status": "RUNNING"})
        return web.json_response({"job_id": said["submission_id"], "submission_id": said["submission_id"]})

    async def _stop(self, request: web.Request) -> web.Response:
        if self.failing:
            return web.Response(status=500, text=self.failing)
        self._job(request)["status"] = "STOPPED"
        return web.json_response({"stopped": True})

    async def _tail(self, request: web.Request) -> web.StreamResponse:
        self._connections += 1
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for piece in self.log[: self._connections if self._connections <= self.breaks else None]:
            await socket.send_str(piece)
        if self._connections <= self.breaks:
            assert request.transport is not None
            request.transport.abort()
        else:
            self._job(request)["status"] = "SUCCEEDED"
            await socket.close()
        return socket


@contextmanager
def running() -> Iterator[StandIn]:
    made, loop, up = StandIn(), asyncio.new_event_loop(), threading.Event()

    async def begin() -> web.AppRunner:
        runner = web.AppRunner(made.application())
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        made.address = "http://{}:{}".format(*runner.addresses[0])
        up.set()
        return runner

    def serve() -> None:
        runner = loop.run_until_complete(begin())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert up.wait(60)
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
