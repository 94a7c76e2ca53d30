"""Where a sweep is tracked: the tracking URI, what it stands for, and whether it answers. No mlflow in here."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from pathlib import Path

from pipeline.environment import is_http
from pipeline.errors import InputError, Unreachable
from pipeline.tracking.mlflow.credentials import NAMES, URI, held, public, redact, take
from pipeline.tracking.mlflow.moved import ARTIFACTS

SQLITE = "sqlite:///"
IN_HOME = Path("{home}")
PATIENCE = 5.0  # seconds in which a tracker must have answered


def default_uri(home: Path) -> str:
    """A SQLite file in the home of the sweeps; the artifacts go beside it."""
    return f"{SQLITE}{home.resolve() / 'mlflow.db'}"


def asked(option: str | None) -> tuple[str | None, str]:
    """--tracking-uri, else MLFLOW_TRACKING_URI as in every program that uses MLflow, and which of the two it was."""
    take()
    return (option, "--tracking-uri") if option else (os.environ.get(URI) or None, URI)


def settled(uri: str, home: Path, named_by: str = "--tracking-uri") -> str:
    """An address as a record keeps it: without user and password, a file's path absolute, or by its home where it is
    in it, which may move. Raises InputError for a kind that there is not."""
    uri = public(uri)
    file = database(uri, named_by)
    if file is None:
        return uri
    inside = file.is_relative_to(home.absolute())
    return f"{SQLITE}{IN_HOME / file.relative_to(home.absolute()) if inside else file}"


def of_home(uri: str, home: Path) -> str:
    """What settled() gave, for the place where the home is now."""
    return uri.replace(f"{SQLITE}{IN_HOME}", f"{SQLITE}{home.absolute()}")


def database(uri: str, named_by: str = "tracking URI") -> Path | None:
    """The SQLite file that `uri` names; None for a server. InputError for anything else."""
    if uri.startswith(SQLITE) and len(uri) > len(SQLITE):
        return Path(uri.removeprefix(SQLITE)).expanduser().absolute()
    if is_http(uri):
        return None
    raise InputError(
        f'{named_by}: found "{redact(uri)}"; valid: {SQLITE}FILE, or the http(s):// address of an MLflow server'
    )


def artifact_root(uri: str) -> Path | None:
    """The folder of the artifacts; None where the server decides."""
    file = database(uri)
    return None if file is None else file.parent / ARTIFACTS


def check(uri: str, make: bool = True) -> None:
    """Raises Unreachable, within some 5 seconds, where nothing could be tracked at `uri`. make: a database's folder,
    where it is not there."""
    file = database(uri)
    problem = _server_problem(uri) if file is None else _file_problem(file, make)
    if problem:
        raise Unreachable(f"tracker {redact(uri)}: {problem}")


def _file_problem(file: Path, make: bool) -> str | None:
    try:
        if make:
            file.parent.mkdir(parents=True, exist_ok=True)
        elif not file.parent.exists():
            return None
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
    """Asks for an experiment: /health would answer even where all else is forbidden. Asked as MLflow's client asks,
    with its library and its variables, so that what it reaches is reached."""
    import requests

    known = held()
    user, password, token = (known.get(name) for name in NAMES)
    auth = (user, password) if user is not None and password is not None else None
    headers = {"Authorization": f"Bearer {token}"} if token and auth is None else {}
    verify: bool | str = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"):
        verify = False
        logging.captureWarnings(True)
    try:
        answer = requests.get(
            f"{uri.rstrip('/')}/api/2.0/mlflow/experiments/get-by-name",
            params={"experiment_name": "Default"},
            auth=auth,
            headers=headers,
            verify=verify,
            cert=os.environ.get("MLFLOW_TRACKING_CLIENT_CERT_PATH") or None,
            timeout=PATIENCE,
        )
    except (OSError, ValueError) as error:  # what requests raises is an OSError
        return f"does not answer ({_reason(error)}); start it, or give another --tracking-uri"
    if not answer.ok:
        return _refused(answer.status_code, answer.content)
    return None if b'"experiment"' in answer.content else "answers, but is no MLflow server"


def _reason(error: BaseException) -> str:
    """The innermost that went wrong, in words: requests wraps it three times, in a text that has objects' addresses."""
    seen: BaseException | None = error
    while seen is not None:
        error = seen
        reason = getattr(seen, "reason", None)
        inner = next((each for each in (reason, *seen.args) if isinstance(each, BaseException)), None)
        seen = inner or seen.__cause__ or seen.__context__
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return redact(said.strip().splitlines()[0][:200])


def _refused(code: int, body: bytes) -> str | None:
    if b"RESOURCE_DOES_NOT_EXIST" in body:  # an MLflow server whose Default experiment was deleted
        return None
    if code == 403:
        return "answers 403 Forbidden; start the server with --allowed-hosts and the host name used here"
    if code == 401:
        return "answers 401 Unauthorized; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (kept nowhere)"
    return f"answers {code}, so it is no MLflow server, or one in trouble"
