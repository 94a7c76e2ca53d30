"""A dashboard's address and what answers there: one line, soon, with its exit code; and what a job says, said once."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.cluster.jobs import Dashboard, SweepThere
from pipeline.errors import GansweepError, InputError, Unreachable
from tests.cluster import dashboard

ROOT = Path(__file__).resolve().parents[2]
HTTP = b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """The address of a server that says this to whoever asks, whatever he asks."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def refused(address: str, kind: type[GansweepError]) -> str:
    with pytest.raises(kind) as caught:
        Dashboard(address)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "http://head:82x65",
        "http://[x",
        "http://",
        "http://head:99999",
        "http://head:8265/#/jobs",
        "http:// head:8265",
        "http://h..d",
    ],
)
def test_what_is_no_address_is_wrong_input(address: str) -> None:
    assert refused(address, InputError) == f'--address: found "{address}"; valid: http://HEAD:8265'


def test_a_password_in_it_is_not_repeated() -> None:
    assert "secret" not in refused("http://me:secret@head:8265", InputError)


@pytest.mark.parametrize(
    "answer",
    [
        b"\0\0\x18\4\0\0\0\0\0\0\4\0?\xff\xff\0\5\0?\xff\xff\n\n",  # as gRPC greets, at Ray's own port
        HTTP % (b"200 OK", 6, b"<html>"),
        HTTP % (b"200 OK", 2, b"[]"),
        HTTP % (b"200 OK", 99, b"{}"),  # and it ends there
    ],
)
def test_another_server_is_no_dashboard(answer: bytes) -> None:
    with answering(answer) as address:
        said = refused(address, Unreachable)
    assert said.startswith(f"the dashboard at {address} cannot be reached: what listens there is something else")


def test_only_who_wants_a_token_is_said_to() -> None:
    with answering(HTTP % (b"401 Unauthorized", 0, b"")) as address:
        assert "wants another token than it is offered" in refused(address, Unreachable)
    with dashboard.running() as there:
        there.failing = "[Errno 32] Broken pipe, of 4010"
        with pytest.raises(Unreachable, match=r"cannot be reached: .*Broken pipe"):
            Dashboard(there.address).stop("mine")


@pytest.mark.parametrize(("mode", "said"), [("token", "of another version: ray 2.1.0 there"), ("", "another token")])
def test_a_token_is_offered_where_that_is_asked_for_and_the_version_looked_at(mode: str, said: str) -> None:
    """In a process of its own: Ray remembers what it was told."""
    script = (
        "import sys\nfrom pipeline.cluster.jobs import Dashboard\n"
        "try:\n    Dashboard(sys.argv[1])\nexcept Exception as found:\n    print(type(found).__name__, found)"
    )
    with dashboard.running() as there:
        there.token, there.version = "x" * 64, "2.1.0"
        environment = {"PATH": os.environ["PATH"], "RAY_AUTH_TOKEN": there.token}
        environment |= {"RAY_AUTH_MODE": mode} if mode else {}
        command = [sys.executable, "-c", script, there.address]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout.startswith("Unreachable")
    assert said in done.stdout


def test_what_was_said_before_the_connection_broke_is_not_said_again(tmp_path: Path) -> None:
    with dashboard.running() as there:
        there.breaks = 2
        at, said = Dashboard(there.address), []
        job = at.submit(SweepThere("mine", "/home"), tmp_path, "true")
        assert at.follow(job, said.append) == 0
    assert said == there.log
