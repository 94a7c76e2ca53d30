"""MLflow's page on a sweep: its address, and the local server behind it where the tracker is a SQLite file."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from pipeline.children import python
from pipeline.errors import InputError, Unreachable
from pipeline.tracking.memory import Memory
from pipeline.tracking.mlflow.client import QUIET, connect, locked
from pipeline.tracking.mlflow.credentials import without
from pipeline.tracking.mlflow.location import artifact_root, check, database
from pipeline.tracking.mlflow.views import compare_page, page

START = 90.0  # seconds a server may take to come up on a busy machine
SERVER = {**QUIET, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}


def ui(home: Path, uri: str, name: str | None = None, trials: Sequence[int] = ()) -> str:
    """The address of MLflow's page on the sweep `name` (None: on all sweeps), or of the one that compares some of its
    trials. For a SQLite tracker it starts a local server, detached, unless the one of this home is running. Raises
    Unreachable, or InputError for a sweep or a trial that the tracker does not have."""
    check(uri)
    experiment = None if name is None else _experiment(home / name, uri)
    runs = [] if name is None else _runs(home / name, uri, trials)
    server = uri
    if database(uri) is not None:
        with locked(home / "ui.lock"):
            port = _running(home, uri) or _start(home, uri)
        server = f"http://127.0.0.1:{port}"
    return compare_page(server, experiment, runs) if experiment and runs else page(server, experiment)


def _runs(folder: Path, uri: str, trials: Sequence[int]) -> list[str]:
    """The ids of the trials' runs."""
    ids = {trial: run for (trial, seed), run in Memory.of(folder, uri).run_ids.items() if seed is None and trial >= 0}
    for trial in trials:
        if trial not in ids:
            raise InputError(f"{folder.name}: --compare: found trial {trial}; valid: {_numbers(sorted(ids))}")
    return [ids[trial] for trial in trials]


def _numbers(numbers: Sequence[int]) -> str:
    whole = len(numbers) > 8 and numbers == list(range(numbers[-1] + 1))
    return f"0 to {numbers[-1]}" if whole else ", ".join(map(str, numbers)) or "none yet"


def _experiment(folder: Path, uri: str) -> str:
    experiment = Memory.of(folder, uri).experiment
    if experiment is None:
        raise InputError(
            f"{folder.name}: the tracker {uri} has nothing of it; send it with: gansweep sync {folder.name}"
        )
    return experiment


def _running(home: Path, uri: str) -> int | None:
    """The port of this home's server, if it is alive, ours and of this tracker."""
    try:
        noted: dict[str, Any] = json.loads((home / "ui.json").read_text())
        process = psutil.Process(noted["pid"])
        ours = noted["uri"] == uri and abs(process.create_time() - noted["created"]) < 1.0
        alive = ours and process.status() != psutil.STATUS_ZOMBIE
        return int(noted["port"]) if alive and _healthy(noted["port"]) else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None


def _start(home: Path, uri: str) -> int:
    connect(uri)  # makes the database, which two would break if they did it at once
    port = _free_port()
    command = python("-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    command += ["--backend-store-uri", uri, "--artifacts-destination", str(artifact_root(uri))]
    with (home / "ui.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=home,
            env={**without(), **SERVER},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    created = psutil.Process(process.pid).create_time()
    (home / "ui.json").write_text(json.dumps({"pid": process.pid, "port": port, "uri": uri, "created": created}))
    end = time.monotonic() + START
    while not _healthy(port):
        if process.poll() is not None:
            raise Unreachable(f"MLflow's server ended with code {process.returncode}; see {home / 'ui.log'}")
        if time.monotonic() > end:
            for each in psutil.Process(process.pid).children(recursive=True):
                each.terminate()
            process.terminate()
            raise Unreachable(f"MLflow's server did not come up within {START:.0f} s; see {home / 'ui.log'}")
        time.sleep(0.2)
    return port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
