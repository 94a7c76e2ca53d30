"""Where a worker keeps its run when machines share no folder."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.cluster.keeping import Scratch
from pipeline.deadline import hung
from pipeline.drivers.job import Job, hung_file
from pipeline.record.claim import Claim
from pipeline.storage.storage import opened
from tests.drivers.fake_tune import FakeTune

HANG = """
import sys, time
from pipeline.cluster.keeping import Keeping
from pipeline.drivers.job import Job
(attempt,) = Job.from_json(sys.argv[1]).runs
kept = Keeping(attempt, sys.argv[2])
with kept.bounded(1.0):
    time.sleep(600)
"""
HOLD = "from pipeline.cluster.keeping import Scratch; held = Scratch(); print(held.folder, flush=True); input()"


def test_what_a_killed_worker_leaves_is_removed_by_the_next_and_nothing_of_one_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", HOLD], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    folders = [Path(worker.stdout.readline().strip()) for worker in workers if worker.stdout]
    assert all(folder.is_dir() for folder in folders)
    workers[0].send_signal(signal.SIGKILL)
    workers[0].wait()
    mine = Scratch()
    assert not folders[0].exists()
    assert folders[1].is_dir()
    mine.close()
    assert not mine.folder.exists()
    workers[1].communicate("\n")


def test_what_a_worker_of_another_machine_hung_in_is_where_its_driver_looks(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    tune = FakeTune(tmp_path / "here", trials=1)
    (attempt,) = tune.next_runs()
    theirs = replace(attempt, folder=str(tmp_path / "elsewhere/trials/0/seed-1"), session="s")
    storage = opened(f"file://{tmp_path}/there")
    claim = Claim(storage, "s")
    claim.acquire()
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", HANG, Job((theirs,)).as_json(), storage.url], env=env, check=False)
    claim.release()
    assert done.returncode == 1
    name = hung_file(attempt).name
    assert storage.names("ray") == [f"ray/{name}"]
    (tmp_path / name).write_bytes(storage.get(f"ray/{name}"))
    assert "it was in <string>, line 8" in (hung(tmp_path / name) or "")
    assert storage.names("trials") == [f"trials/0/seed-{attempt.seed}/traceback.txt"]
