"""Trackers that are not there, will not do or cannot be meant: one line that says what to do."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pipeline.errors import InputError, Unreachable
from pipeline.tracking.tracker import Tracker, check, default_uri, sync, ui
from tests.tracking.realistic import small
from tests.tracking.servers import free_port


def test_a_closed_port_is_unreachable(tmp_path: Path) -> None:
    sweep, uri = small(tmp_path), f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Unreachable, match=uri):
        check(uri)
    with pytest.raises(Unreachable, match=uri):
        sync(sweep.folder, uri)
    with pytest.raises(Unreachable, match=uri):
        ui(tmp_path, uri)


@contextmanager
def answering(code: int, body: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("code", "body", "told"),
    [
        (403, b"Invalid Host header", "--allowed-hosts"),
        (401, b"", "MLFLOW_TRACKING_USERNAME"),
        (404, b"nothing here", "no MLflow server"),
        (200, b"<html>hello</html>", "no MLflow server"),
    ],
)
def test_a_server_that_will_not_do_says_what_to_do(code: int, body: bytes, told: str) -> None:
    with answering(code, body) as uri, pytest.raises(Unreachable, match=told):
        check(uri)


def test_a_server_whose_default_experiment_is_gone_will_do() -> None:
    with answering(404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST"}') as uri:
        check(uri)


@pytest.mark.slow
def test_a_host_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        began = time.monotonic()
        with pytest.raises(Unreachable):
            check(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - began < 20


def test_a_database_that_cannot_be_written_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(Unreachable, match="cannot be written"):
        check(f"sqlite:///{tmp_path}/file/mlflow.db")
    (tmp_path / "mlflow.db").write_text("no database, but longer than the head of one. " * 50)
    with pytest.raises(Unreachable, match="not a database"):
        check(default_uri(tmp_path))
    check(default_uri(tmp_path / "new"))


@pytest.mark.parametrize("uri", ["mlruns", "postgresql://host/db", "sqlite:///", "databricks"])
def test_a_uri_of_another_kind_is_an_input_error(uri: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="valid: sqlite:///FILE"):
        check(uri)
    with pytest.raises(InputError):
        Tracker(tmp_path, uri)
