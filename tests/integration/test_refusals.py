"""What a sweep needs and does not find, said before the first trial; and a sweep in which nothing was healthy."""

import platform
import socket
import time
from pathlib import Path

import pytest

from tests.integration.command import SWEEP, Done, events, gansweep
from tests.integration.conftest import Finished

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def closed() -> int:
    """A port at which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def refused(done: Done, code: int) -> str:
    """Its one line, after the notes and what the sweep is called."""
    assert done.code == code, done.err
    assert done.out == ""
    assert "Traceback" not in done.err
    lines = [line for line in done.err.splitlines() if not line.startswith(("note: ", "sweep "))]
    assert len(lines) == 1, done.err
    assert lines[0].startswith("gansweep: ")
    return lines[0]


def test_a_tracker_that_does_not_answer(tmp_path: Path, closed: int) -> None:
    uri = f"http://127.0.0.1:{closed}"
    line = refused(gansweep(tmp_path / "home", "run", *SWEEP, "--tracking-uri", uri), 3)
    assert uri in line
    assert "--tracking-uri" in line
    assert events(tmp_path / "home", "digits") == []


def test_a_cluster_that_is_not_there(tmp_path: Path, closed: int) -> None:
    began = time.monotonic()
    done = gansweep(tmp_path / "home", "run", *SWEEP, "--address", f"127.0.0.1:{closed}")
    print(f"after {time.monotonic() - began:.0f} s")
    assert f"127.0.0.1:{closed}" in refused(done, 3)
    assert events(tmp_path / "home", "digits") == []


def test_a_gpu_that_is_not_there(tmp_path: Path) -> None:
    asked = ("--gpus-per-trial", "64", "--memory-per-trial", "100T")
    line = refused(gansweep(tmp_path / "home", "run", *SWEEP, *asked), 3)
    assert "--gpus-per-trial 64 (the most that one node has: 0), --memory-per-trial 1.02e+05 GiB (the most" in line
    assert f"; the largest, {platform.node()}" in line
    assert events(tmp_path / "home", "digits") == []


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = refused(gansweep(tmp_path / "file" / "home", "run", *SWEEP), 3)
    assert "cannot be written" in line
    assert str(tmp_path / "file") in line
    assert "--home" in line


def test_a_sweep_that_could_not_begin_leaves_its_name_free(whole: Finished, closed: int) -> None:
    name = "late"
    refused(gansweep(whole.home, "run", *SWEEP, "--name", name, "--tracking-uri", f"http://127.0.0.1:{closed}"), 3)
    status = gansweep(whole.home, "status", name)
    assert status.code == 2
    assert "whole" in status.last


def test_data_that_fail_to_load_are_one_line_and_the_log_has_the_rest(whole: Finished, tmp_path: Path) -> None:
    plugin = tmp_path / "my_data.py"
    plugin.write_text("def load(resolution):\n    raise OSError('the disk\\nis on fire')\n")
    space = tmp_path / "mine.yaml"
    space.write_text(
        f"data: {{name: '{plugin}:load', resolution: 8}}\nobjective: fid\nbudget: {{images: 1000}}\n"
        "evaluation: {every: 500}\ngenerator: {network: dcgan}\ndiscriminator: {network: dcgan}\n"
        "optimiser: {lr_g: {log: [1e-4, 1e-3]}}\n"
    )
    line = refused(gansweep(whole.home, "run", str(space)), 2)
    assert "OSError: is on fire" in line
    assert events(whole.home, "mine") == []


def test_a_sweep_without_a_healthy_trial_says_what_failed_most(whole: Finished) -> None:
    rule = "health.hopeless={reason: collapsed, signal: diversity_ratio, comparison: <, threshold: 100}"
    done = gansweep(whole.home, "run", *SWEEP, "--set", rule, "--trials", "2", "--name", "hopeless")
    assert done.code == 4, done.err
    reasons = [line["reason"] for line in events(whole.home, "hopeless") if line["event"] == "run_ended"]
    assert len(reasons) == 2
    assert f"{reasons[0]} ({reasons.count(reasons[0])})" in done.last
    assert "Traceback" not in done.err
