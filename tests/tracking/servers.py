"""MLflow servers in processes of their own, to be killed and started again."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from pipeline.errors import Unreachable
from pipeline.tracking.mlflow.location import check, default_uri
from pipeline.tracking.mlflow.server import SERVER


def until(holds: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def stop(pid: int) -> None:
    """SIGKILL for a server and what it started."""
    process = psutil.Process(pid)
    for each in [*process.children(recursive=True), process]:
        each.kill()
    process.wait(10)


def answers(uri: str) -> bool:
    try:
        check(uri)
    except Unreachable:
        return False
    return True


@contextmanager
def server(home: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """An MLflow server whose store is the SQLite file of `home`; killed at the end."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", default_uri(home), "--artifacts-destination", str(home / "mlartifacts")]
    with (home / "server.log").open("ab") as log:
        process = subprocess.Popen(command, env={**os.environ, **SERVER}, stdout=log, stderr=log)
    try:
        yield process
    finally:
        stop(process.pid)
