"""Where a worker keeps its run when machines share no folder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cluster.keeping import Scratch

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
