"""After a driver that was killed nothing of it is left: neither what it had started, nor the folder of its Ray."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipeline.cluster.sessions import MARK, kept

# A driver that has started a child, which has one in a session of its own, as Ray's daemons are.
DRIVER = """
import subprocess, sys, time
from pathlib import Path
from pipeline.cluster.sessions import kept
NESTED = '''
import subprocess, time
quiet = subprocess.DEVNULL  # else it would hold this test's pipes
print(subprocess.Popen(["sleep", "60"], start_new_session=True, stdout=quiet, stderr=quiet).pid, flush=True)
time.sleep(60)
'''
with kept(Path(sys.argv[1])):
    child = subprocess.Popen([sys.executable, "-c", NESTED], stdout=subprocess.PIPE, text=True)
    print(child.pid, child.stdout.readline().strip(), flush=True)
    if sys.argv[2] == "wait":
        time.sleep(60)
    child.kill()
print("over", flush=True)
"""


@pytest.fixture
def session(tmp_path: Path) -> Path:
    folder = tmp_path / "ray" / "session_1"
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "raylet.out").write_text("x")
    (folder.parent / "session_latest").symlink_to(folder)
    return folder


def gone(pids: list[int], folder: Path, within: float) -> bool:
    end = time.monotonic() + within
    while time.monotonic() < end:
        alive = [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
        if not alive and not folder.exists():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_ten_seconds_after_a_driver_was_killed_nothing_is_left(session: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, session, "wait"], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as driver:
        assert driver.stdout is not None
        pids = [int(each) for each in driver.stdout.readline().split()]
        assert json.loads((session / MARK).read_text())["pid"] == driver.pid
        time.sleep(1.5)  # one look at what was started
        os.kill(driver.pid, number)
    assert gone(pids, session, within=10)
    assert list(session.parent.iterdir()) == []


def test_a_driver_that_ends_well_takes_its_folder_along_and_nothing_else(session: Path) -> None:
    done = subprocess.run([sys.executable, "-c", DRIVER, session, "go"], capture_output=True, text=True, check=False)
    assert "over" in done.stdout, done.stderr
    child, nested = (int(each) for each in done.stdout.splitlines()[0].split())
    assert gone([child], session, within=5)
    assert psutil.pid_exists(nested)  # a driver that ends by itself has shut down what it had started
    os.kill(nested, signal.SIGKILL)


@pytest.mark.parametrize(
    ("mark", "left"),
    [('{"pid": 1, "born": 1.0}', False), ('{"pid": 999999999, "born": 1.0}', False), ("{", True), (None, True)],
)
def test_folders_of_drivers_that_are_gone_are_pruned_and_no_others(
    session: Path, mark: str | None, left: bool, tmp_path: Path
) -> None:
    other, alive = session.parent / "session_0", session.parent / "session_2"
    for folder in (other, alive):
        folder.mkdir()
    if mark is not None:
        (other / MARK).write_text(mark)
    me = psutil.Process()
    (alive / MARK).write_text(json.dumps({"pid": me.pid, "born": me.create_time()}))
    with kept(session):
        assert other.exists() == left
        assert alive.exists()
    assert not session.exists()
