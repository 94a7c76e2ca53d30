"""What does not come to an end is ended, and said by the user's own file and line."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.deadline import LEAST, TIMES, UNKNOWN, VARIABLE, bounded, deadline, hung
from pipeline.drivers.driver import Assignment
from pipeline.drivers.job import hung_file
from pipeline.drivers.nodes import Node, Nodes
from pipeline.drivers.search import SearchDriver
from pipeline.errors import InputError
from pipeline.record.log import read
from tests.drivers.fake_tune import FakeTune

# Ways not to come to an end, each in line 5 of a file of the user's own, in a function called `wait`.
WAYS = {
    "sleeping": "    time.sleep(600)",
    "a loop": "    while True: pass",
    "a lock": "    threading.Lock().__enter__(); lock = threading.Lock(); lock.acquire(); lock.acquire()",
    "a process": "    subprocess.run(['sleep', '20'])",
    "a network": "    s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); s.accept()",
}
HEAD = "import socket, subprocess, threading, time\n\n\ndef wait():\n"
quiet = subprocess.DEVNULL  # a pipe would be held open by what the worker had started
RUN = """
import sys
from pathlib import Path
from pipeline import plugin
from pipeline.deadline import bounded, told
file = Path(sys.argv[2])
with told(1.0, file, lambda: file.rename(sys.argv[3])) if len(sys.argv) > 3 else bounded(1.0, file):
    plugin.resolve(sys.argv[1] + ":wait")()
"""


@pytest.mark.parametrize("way", WAYS)
def test_a_worker_that_hangs_ends_itself_and_says_where_it_was(way: str, tmp_path: Path) -> None:
    own, file = tmp_path / "my_metric.py", tmp_path / "ray" / "hung.txt"
    own.write_text(HEAD + WAYS[way] + "\n")
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", RUN, own, file], stdout=quiet, stderr=quiet, check=False)
    assert (done.returncode, time.monotonic() - began < 20) == (1, True)
    assert hung(file) == "did not come to an end within 0:00:01: it was in my_metric.py, line 5 (wait)"


@pytest.mark.parametrize("way", WAYS)
def test_what_is_to_be_told_is_told_before_the_end(way: str, tmp_path: Path) -> None:
    own, file, there = tmp_path / "my_metric.py", tmp_path / "ray" / "hung.txt", tmp_path / "there.txt"
    own.write_text(HEAD + WAYS[way] + "\n")
    done = subprocess.run([sys.executable, "-c", RUN, own, file, there], stdout=quiet, stderr=quiet, check=False)
    assert done.returncode == 1
    assert hung(there) == "did not come to an end within 0:00:01: it was in my_metric.py, line 5 (wait)"


def test_an_import_that_hangs_is_said_too(tmp_path: Path) -> None:
    own, file = tmp_path / "slow.py", tmp_path / "hung.txt"
    own.write_text("import time\ntime.sleep(600)\n")
    subprocess.run([sys.executable, "-c", RUN, own, file], stdout=quiet, stderr=quiet, check=False)
    said = hung(file)
    assert said is not None
    assert "it was in slow.py, line 2 (<module>)" in said


def test_what_ends_in_time_leaves_nothing(tmp_path: Path) -> None:
    with bounded(60.0, tmp_path / "hung.txt"):
        assert hung(tmp_path / "hung.txt") is None
    assert list(tmp_path.iterdir()) == []


def test_deadlines_are_a_runs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert deadline() == UNKNOWN
    assert deadline([1.0, 2.0]) == LEAST
    assert deadline([1.0, 200.0]) == TIMES * 200.0
    monkeypatch.setenv(VARIABLE, "7")
    assert deadline([200.0]) == 7.0


@pytest.mark.parametrize("given", ["soon", "-1", "0", "nan", "inf", "5m"])
def test_a_deadline_that_is_none_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, given)
    with pytest.raises(InputError, match=f'{VARIABLE}: found "{given}"; valid: seconds'):
        deadline()


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_run_that_hung_is_crashed_and_not_tried_again(tmp_path: Path, elsewhere: bool) -> None:
    frame = '  File "/home/me/my_metric.py", line 12 in score\n'

    def leave(path: Path) -> None:
        path.parent.mkdir()
        path.write_text(f"Timeout (0:10:00)!\nThread 0x7f (most recent call first):\n{frame}")

    tune = FakeTune(tmp_path, trials=1)
    lines, nodes = read(tune.record.path)[0], Nodes([Node("", "here", 1)])
    fetched = {"fetch": leave} if elsewhere else {}
    driver = SearchDriver(Assignment(tmp_path, tune.record, lines, tune.file, nodes, **fetched), 1, cuda=False)
    (job,) = found.runs if (found := driver.next_job()) else ()
    driver.started(job)
    if not elsewhere:
        leave(hung_file(job))
    driver.lost(job, "the worker died")
    end = read(tune.record.path)[0][-1]
    assert (end["event"], end["reason"]) == ("run_ended", "crashed")
    assert end["evidence"]["error"].endswith("within 0:10:00: it was in my_metric.py, line 12 (score)")
    assert (Path(job.folder) / end["evidence"]["traceback"]).read_text().endswith(frame)


def test_train_ends_where_a_metric_hangs_and_json_is_printed_where_it_fails(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import time\ndef rows(resolution):\n    time.sleep(600)\n")
    mlp = {"network": "mlp", "width": 8}
    space = {"data": {"name": "mine.py:rows"}, "objective": "sliced_wasserstein", "budget": {"images": 1000}}
    space |= {"evaluation": {"every": 1000}, "generator": mlp, "discriminator": mlp}
    (tmp_path / "space.yaml").write_text(json.dumps(space))
    command = [sys.executable, "-m", "pipeline.cli", "train", "space.yaml", "--home", "h", "--json"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), VARIABLE: "3"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "did not come to an end within 3 s: it was in mine.py, line 3 (rows)" in done.stderr
    assert "Traceback" not in done.stderr
    space["data"] = {"name": "mine.py:nothing"}
    (tmp_path / "space.yaml").write_text(json.dumps(space))
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    document = json.loads(done.stdout)
    assert (done.returncode, document["exit_code"]) == (2, 2)
    assert 'has no "nothing"' in document["error"]
