"""Where a worker keeps its run when machines share no folder."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.cluster import keeping
from pipeline.cluster.keeping import Keeping, Scratch
from pipeline.deadline import hung
from pipeline.drivers.job import Job, hung_file
from pipeline.errors import StorageLost
from pipeline.record.claim import Claim
from pipeline.storage.posix import Posix
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


class Late(Posix):
    """Checkpoints are put once it `may`, but for the first that it `fails` at."""

    may, fails = threading.Event(), 0

    def put_if_absent(self, name: str, content: bytes) -> bool:
        if "/checkpoints/" in name:
            assert self.may.wait(60)
            if self.fails:
                self.fails -= 1
                raise StorageLost("the storage fails")
        return super().put_if_absent(name, content)


@pytest.fixture
def late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Late, Keeping]]:
    (tmp_path / "here").mkdir()
    (attempt,) = FakeTune(tmp_path / "here", trials=1).next_runs()
    storage = Late(f"file://{tmp_path}/there")
    storage.may.clear()
    monkeypatch.setattr(keeping, "opened", lambda url, patience: storage)
    claim = Claim(storage, "s")
    claim.acquire()
    kept = Keeping(replace(attempt, folder=str(tmp_path / "elsewhere/trials/0/seed-1"), session="s"), storage.url)
    for name in ("checkpoints/1.pt", "samples/1.png"):
        (kept.folder / name).parent.mkdir()
        (kept.folder / name).write_bytes(b"content")
    yield storage, kept
    claim.release()


def test_a_checkpoint_is_put_while_the_run_goes_on_and_is_there_before_the_next(late: tuple[Late, Keeping]) -> None:
    storage, kept = late
    kept.put_behind()
    (picture,) = storage.names("trials")
    assert picture.endswith("/samples/1.png"), "what is looked at is there before anyone is told"
    kept.check()
    threading.Timer(0.2, storage.may.set).start()
    kept.check_put()
    assert [name.rpartition("/")[2] for name in storage.names("trials")] == ["1.pt", "1.png"]
    kept.close()


def test_one_that_could_not_be_put_is_said_before_the_next_and_put_at_the_end(late: tuple[Late, Keeping]) -> None:
    storage, kept = late
    storage.fails = 2
    kept.put_behind()
    storage.may.set()
    with pytest.raises(StorageLost):
        kept.check_put()
    kept.put_behind()
    kept.put()
    kept.close()
    assert [name.rpartition("/")[2] for name in storage.names("trials")] == ["1.pt", "1.png"]
