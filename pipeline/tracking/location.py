"""Where a sweep is tracked: the tracking URI, what it stands for, and whether it answers. No mlflow in here."""

from __future__ import annotations

import base64
import os
import sqlite3
import threading
import urllib.error
import urllib.request
from pathlib import Path

from pipeline.errors import InputError, Unreachable

SQLITE = "sqlite:///"
PATIENCE = 5.0  # seconds in which a tracker must have answered


def default_uri(home: Path) -> str:
    """A SQLite file in the home of the sweeps; the artifacts go beside it."""
    return f"{SQLITE}{home.resolve() / 'mlflow.db'}"


def database(uri: str) -> Path | None:
    """The SQLite file that `uri` names; None for a server. InputError for anything else."""
    if uri.startswith(SQLITE) and len(uri) > len(SQLITE):
        return Path(uri.removeprefix(SQLITE)).absolute()
    if uri.startswith(("http://", "https://")):
        return None
    raise InputError(f'tracking URI: found "{uri}"; valid: {SQLITE}FILE, or the http(s):// address of an MLflow server')


def artifact_root(uri: str) -> Path | None:
    """The folder of the artifacts; None where the server decides."""
    file = database(uri)
    return None if file is None else file.parent / "mlartifacts"


def check(uri: str) -> None:
    """Raises Unreachable, within some 5 seconds, where nothing could be tracked at `uri`."""
    file = database(uri)
    problem = _server_problem(uri) if file is None else _file_problem(file)
    if problem:
        raise Unreachable(f"tracker {uri}: {problem}")


def _file_problem(file: Path) -> str | None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            probe = file.with_name(f".{file.name}.{os.getpid()}")
            probe.touch()
            probe.unlink()
            return None
        connection = sqlite3.connect(file, timeout=PATIENCE, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        finally:
            connection.close()
    except (OSError, sqlite3.Error) as error:
        return f"cannot be written ({error})"
    return None


def _server_problem(uri: str) -> str | None:
    """Asks in a thread, as looking up a host's name knows no time limit."""
    answer: list[str | None] = []
    thread = threading.Thread(target=lambda: answer.append(_ask(uri)), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return answer[0] if answer else f"no answer within {PATIENCE:.0f} s"


def _ask(uri: str) -> str | None:
    """Asks for an experiment: /health would answer even where all else is forbidden."""
    request = urllib.request.Request(
        f"{uri.rstrip('/')}/api/2.0/mlflow/experiments/get-by-name?experiment_name=Default"
    )
    user, password = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_PASSWORD")
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    if user is not None and password is not None:
        request.add_header("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())
    elif token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            body = response.read()
    except urllib.error.HTTPError as error:
        with error:
            return _refused(error.code, error.read())
    except (OSError, ValueError) as error:
        return f"does not answer ({getattr(error, 'reason', None) or error}); start it, or give another --tracking-uri"
    return None if b'"experiment"' in body else "answers, but is no MLflow server"


def _refused(code: int, body: bytes) -> str | None:
    if b"RESOURCE_DOES_NOT_EXIST" in body:  # an MLflow server whose Default experiment was deleted
        return None
    if code == 403:
        return "answers 403 Forbidden; start the server with --allowed-hosts and the host name used here"
    if code == 401:
        return "answers 401 Unauthorized; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
    return f"answers {code}, so it is no MLflow server, or one in trouble"
