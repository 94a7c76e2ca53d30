"""A PostgreSQL of the tests' own, in a folder of theirs, where its programs are there."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.tracking.servers import free_port, until

PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/bin")
USER = "mlflow"


def programs() -> Path | None:
    """The folder of its programs, None where it is not installed."""
    there = [each for place in PLACES for each in sorted(Path("/").glob(place.lstrip("/")), reverse=True)]
    return next((each for each in there if (each / "initdb").exists() and (each / "postgres").exists()), None)


def other_user() -> str | None:
    """It refuses to run as root: who runs it then. None: whoever we are."""
    if os.getuid() != 0:
        return None
    names = [each.pw_name for each in pwd.getpwall()]
    return "postgres" if "postgres" in names else "nobody"


@contextmanager
def running() -> Iterator[str]:
    """The address, as SQLAlchemy has it, of a database that is empty; gone after the block."""
    where, user, port = programs(), other_user(), free_port()
    assert where is not None
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # short: a socket's path is limited
    try:
        if user:
            shutil.chown(folder, user)
        asked = {"user": user, "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        data = folder / "data"
        made = subprocess.run(
            [where / "initdb", "-D", data, "-A", "trust", "-U", USER, "-E", "UTF8"], check=False, **asked
        )
        assert made.returncode == 0, made.stderr.decode()
        options = ["-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen([where / "postgres", "-D", data, *options], **{**asked, "stderr": log})
        try:
            until(lambda: _ready(port))
            yield f"postgresql+psycopg2://{USER}@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGQUIT)  # at once, with all that it has started
            server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ready(port: int) -> bool:
    import psycopg2

    try:
        psycopg2.connect(host="127.0.0.1", port=port, user=USER, dbname="postgres", connect_timeout=5).close()
    except psycopg2.OperationalError:
        return False
    return True
