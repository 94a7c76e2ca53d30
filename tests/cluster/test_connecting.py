"""Addresses that are none, or of no cluster of ours: one line, soon, with its exit code; without a Ray."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from pipeline.cluster import connected, connecting
from pipeline.environment import SETTINGS
from pipeline.errors import GansweepError, InputError, Unreachable

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_USE_TLS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server that greets as HTTP/2 does, and then says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            kept = []
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connection.sendall(b"\0\0\0" + SETTINGS + b"\0" * 5)
                kept.append(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)


def refused(address: str, kind: type[GansweepError]) -> str:
    with pytest.raises(kind) as error, connected(address, lambda: None):
        pass
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def answering(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Has what is at the port say this of itself, as knock.py prints it."""

    def say(**said: Any) -> str:
        script = tmp_path / "knock.py"
        script.write_text(f"print({json.dumps(json.dumps(said))})")
        monkeypatch.setattr(connecting.knock, "__file__", str(script))
        return f"127.0.0.1:{port}"

    return say


@pytest.mark.parametrize("address", ["ray://head:10001", "http://head:8265/"])
def test_rays_client_and_dashboard_are_refused_with_what_to_write(address: str) -> None:
    said = refused(address, InputError)
    assert f'found "{address}"' in said
    assert "valid: on a node of the cluster auto or head:6379" in said
    assert "from elsewhere: gansweep run ... --address http://head:8265" in said


@pytest.mark.parametrize("address", ["nobody", ":6379", "head:99999999"])
def test_what_is_no_address_is_wrong_input(address: str) -> None:
    assert "valid: auto, local or HOST:PORT" in refused(address, InputError)


def test_a_server_that_speaks_as_ray_does_and_is_none_is_given_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "ANSWER", 1.0)
    began = time.monotonic()
    said = refused(f"127.0.0.1:{port}", Unreachable)
    assert time.monotonic() - began < 10
    assert f"127.0.0.1:{port} cannot be reached: what listens there does not answer as a Ray head does" in said


def test_another_version_is_named_with_ours(answering: Any) -> None:
    said = refused(answering(versions={"ray": "2.1.0", "python": "3.9.1"}, here=True), Unreachable)
    assert "is of another version: ray 2.1.0 there, 2." in said
    assert "python 3.9.1 there, 3." in said


def test_a_wrong_token_is_said_with_how_to_offer_another(answering: Any) -> None:
    error = "RPC error: InvalidAuthToken: Authentication token is missing or incorrect. Note: ..."
    said = refused(answering(error=error), Unreachable)
    assert "wants another token than it is offered; valid: that of its head, by RAY_AUTH_MODE=token" in said


@pytest.mark.parametrize(
    ("joined", "given", "offered"),
    [
        (True, {"RAY_AUTH_TOKEN": "x" * 64}, True),
        (False, {"RAY_AUTH_TOKEN": "x" * 64}, False),  # whoever answers there
        (True, {"RAY_AUTH_TOKEN": "x" * 64, "RAY_AUTH_MODE": "disabled"}, False),
        (True, {"RAY_AUTH_TOKEN_PATH": "/nowhere/token"}, False),
    ],
)
def test_a_token_is_offered_to_ones_own_cluster_alone(
    tmp_path: Path, port: int, joined: bool, given: dict[str, str], offered: bool
) -> None:
    """In a process of its own: Ray remembers what it was told."""
    error = {"error": "RPC error: InvalidAuthToken: Authentication token is missing", "joined": joined}
    (tmp_path / "knock.py").write_text(
        f"import json, os\nwith_one = os.environ.get('RAY_AUTH_MODE') == 'token'\n"
        f"print(json.dumps({{'versions': {{'ray': '2.1.0'}}}} if with_one else {error!r}))\n"
    )
    script = (
        "from pipeline.cluster import connected, connecting\n"
        f"connecting.knock.__file__ = {str(tmp_path / 'knock.py')!r}\n"
        f"try:\n    with connected('127.0.0.1:{port}', lambda: None): pass\n"
        "except Exception as found:\n    print(type(found).__name__, found)"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **given}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert "Traceback" not in done.stderr
    assert ("is of another version: ray 2.1.0 there" in done.stdout) == offered
    assert ("wants another token than it is offered" in done.stdout) != offered


def test_a_machine_that_is_no_node_is_told_to_become_one(answering: Any) -> None:
    address = answering(versions={}, here=False)
    said = refused(address, Unreachable)
    assert "has no node on this machine" in said
    assert f"ray start --address {address} --num-cpus 0" in said


def test_which_ray_is_taken_is_said_where_it_might_be_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "process_iter", lambda names: [])
    assert connecting.chosen(None) is None
    assert connecting.chosen("head:6379") is None
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    assert (
        connecting.chosen(None) == "the cluster at head:6379 (RAY_ADDRESS) is used; a Ray of its own: --address local"
    )
    monkeypatch.delenv("RAY_ADDRESS")
    head = SimpleNamespace(info={"name": "gcs_server"})
    monkeypatch.setattr(psutil, "process_iter", lambda names: [head])
    assert (
        connecting.chosen(None) == "a Ray runs on this machine, and the sweep has one of its own; that: --address auto"
    )
