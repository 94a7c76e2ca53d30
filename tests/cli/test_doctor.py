"""What the doctor finds on a machine where something is missing, and what it says to do."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.cli import doctor

ROOT = Path(__file__).resolve().parents[2]


def examine(*arguments: str, **environment: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code and findings by subject, of the command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "doctor", "--json", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, {each["subject"]: each for each in json.loads(done.stdout)}


@pytest.mark.slow
def test_a_machine_that_has_what_it_needs(tmp_path: Path) -> None:
    code, found = examine("--home", str(tmp_path))
    assert code == 0, found
    assert {found[name]["state"] for name in doctor.NEEDED} == {"ok"}
    assert found["tracker"]["said"].startswith("sqlite:///")
    assert str(tmp_path) in found["home"]["said"]
    assert "--data-root" in found["fashion_mnist"]["said"]
    assert found["gpu"]["state"] in ("ok", "note")
    assert "--gpus-per-trial" in found["gpu"]["said"]


@pytest.mark.slow
def test_an_old_ray_is_missing_and_the_way_to_a_new_one_is_said(tmp_path: Path) -> None:
    """An old distribution before the real one on the path, as in an environment that has it."""
    old = tmp_path / "ray-2.40.0.dist-info"
    old.mkdir()
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: ray\nVersion: 2.40.0\n")
    code, found = examine("--home", str(tmp_path / "home"), PYTHONPATH=str(tmp_path))
    assert code == 3
    assert found["ray"]["state"] == "missing"
    assert found["ray"]["said"] == "2.40.0 is too old; pip install 'ray>=2.60'"


def test_data_that_are_not_there_and_how_they_come(tmp_path: Path) -> None:
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    found = {each.subject: each for each in doctor.check_data(tmp_path)}
    assert found["mnist"].state == "ok"
    assert found["fashion_mnist"].state == "note"
    assert f"not in {tmp_path}; downloaded there at the first use" in found["fashion_mnist"].said
    assert "digits" in found["data"].said


@pytest.fixture
def taken() -> Iterator[int]:
    """A port at which this process listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def test_a_port_that_is_taken_by_whom_and_what_to_use(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PORTS", {taken: ("mlflow server", "--port 5001")})
    (found,) = doctor.check_ports()
    assert (found.state, found.subject) == ("note", f"port {taken}")
    assert f"taken by process {os.getpid()} ({psutil.Process().name()})" in found.said
    assert "--port 5001" in found.said


def test_a_cluster_that_is_named_and_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    found = doctor.check_cluster()
    assert found.state == "missing"
    assert "unset RAY_ADDRESS" in found.said
    monkeypatch.delenv("RAY_ADDRESS")
    assert doctor.check_cluster().state == "ok"


def test_a_home_with_little_room_says_what_it_is_needed_for(small_disk: Callable[[int], Path], tmp_path: Path) -> None:
    assert doctor.check_folder(tmp_path / "new").state == "ok"
    found = doctor.check_folder(small_disk(1) / "home")
    assert found.state == "note"
    assert "checkpoints may need more" in found.said
