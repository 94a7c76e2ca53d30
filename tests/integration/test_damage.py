"""What a sweep finds changed or broken when it goes on: a full disk, other data, other code, damaged files."""

import contextlib
import os
import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pipeline.record.log import FORMAT
from tests.conftest import fill
from tests.integration.agreement import disagreements
from tests.integration.command import (
    KILL,
    SWEEP,
    TINY,
    Running,
    events,
    found,
    gansweep,
    made_twice,
    measured,
    state_of,
)
from tests.integration.conftest import Finished

pytestmark = pytest.mark.slow

MARK = "GANSWEEP_TEST_MARK"  # a variable that a sweep's processes inherit


def test_a_full_disk_stops_the_sweep_and_with_room_it_goes_on(
    small_disk: Callable[[int], Path], whole: Finished
) -> None:
    home = small_disk(96) / "home"
    home.mkdir()
    running = Running(home, "run", *SWEEP, "--name", "full")
    running.until("full", lambda lines: measured(lines, trial=1))
    ballast = fill(home)
    done = running.wait()
    assert done.code == 1, done.err
    said = r"no space left on the disk of .*full \([\d.]+ MiB free\); its \d+ unfinished runs want"
    assert re.search(said, done.last)
    assert "go on with: gansweep resume full" in done.last
    assert "Traceback" not in done.err
    again = gansweep(home, "resume", "full")
    assert again.code == 1, again.err
    assert "no space left" in again.last
    ballast.unlink()
    assert gansweep(home, "status", "full", "--json").document["state"] == "interrupted"
    done = gansweep(home, "resume", "full")
    assert done.code == 0, done.err
    assert found(state_of(home, "full")) == found(whole.state)
    assert made_twice(events(home, "full")) == []
    assert disagreements(home, "full") == []


DATA = """
from sklearn.datasets import load_digits
import torch

def digits(resolution):
    return (torch.tensor(load_digits().images[:, None]) * {factor}).to(torch.uint8)
"""


def test_other_data_and_other_code_are_refused_unless_they_are_accepted(whole: Finished, tmp_path: Path) -> None:
    home, plugin = whole.home, tmp_path / "my_data.py"
    plugin.write_text(DATA.format(factor=15.9))
    data = ("--data", f"{plugin}:digits", "--set", "data.resolution=8")
    begun = gansweep(home, "run", *SWEEP, *data, "--trials", "1", "--name", "changed")
    assert begun.code == 0, begun.err

    plugin.write_text(DATA.format(factor=15.9) + "\n# edited\n")
    code = gansweep(home, "resume", "changed", "--trials", "2")
    assert code.code == 2, code.err
    assert f"{plugin} is not the code it was started with" in code.last
    assert "gansweep resume changed --accept-changes" in code.last
    assert "data set" not in code.last

    plugin.write_text(DATA.format(factor=12))
    refused = gansweep(home, "resume", "changed", "--trials", "2")
    assert refused.code == 2, refused.err
    assert "is not the one it was started with" in refused.last
    assert "Traceback" not in refused.err
    assert len(state_of(home, "changed").trials) == 1

    accepted = gansweep(home, "resume", "changed", "--trials", "2", "--accept-changes")
    assert accepted.code == 0, accepted.err
    lines = [line for line in events(home, "changed") if line["event"] == "prepared"]
    assert [len(line.get("accepted", [])) for line in lines] == [0, 3]  # data, features and code
    assert gansweep(home, "resume", "changed", "--trials", "2").code == 0  # accepted once and for all


def test_a_damaged_checkpoint_a_torn_line_and_a_stale_lock_are_said_and_done_without(whole: Finished) -> None:
    home, name = whole.home, "damaged"
    running = Running(home, "run", *SWEEP, "--trials", "2", "--name", name)
    running.until(name, lambda lines: measured(lines, trial=0, times=3))
    done = running.signal(KILL)
    assert done.code == -KILL
    assert running.left_behind(agents=False) == []  # the worker may have been at its next checkpoint
    run = home / name / "trials" / "0" / next((home / name / "trials" / "0").iterdir()).name
    newest = max((run / "checkpoints").glob("*.pt"))
    newest.write_bytes(newest.read_bytes()[:-1000])
    record = home / name / "events.jsonl"
    with record.open("a") as file:
        file.write('{"v": 1, "n": 99, "ti')
    done = gansweep(home, "resume", name)
    assert done.code == 0, done.err
    assert f"took over the lock of a driver that is gone (process {running.pid}" in done.err
    assert "dropped the record's last line, which was torn (21 bytes)" in done.err
    assert re.search(rf"trial 0: .*{newest.name}: damaged \(\d+ bytes.*; went back to checkpoints/images-", done.err)
    assert found(state_of(home, name)) == found(whole.state)[:2]
    assert made_twice(events(home, name)) == []
    assert disagreements(home, name) == []


def test_a_record_of_a_newer_format_is_refused_by_every_verb(whole: Finished) -> None:
    folder = whole.home / "newer"
    folder.mkdir()
    first = (whole.home / "whole" / "events.jsonl").read_text().splitlines()[0]
    (folder / "events.jsonl").write_text(first.replace(f'"v": {FORMAT}', f'"v": {FORMAT + 1}') + "\n")
    try:
        for verb in ("resume", "status", "pick"):
            done = gansweep(whole.home, verb, "newer")
            assert done.code == 2, done.err
            assert f"written in format {FORMAT + 1}" in done.last
            assert "install a newer one" in done.last
            assert done.err.count("\n") == 1
    finally:
        (folder / "events.jsonl").unlink()


def test_nothing_is_left_of_a_sweep_that_ended(whole: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process, no socket and no shared memory. Its processes are known by what they inherit: others may run too."""
    mark = f"tidy-{uuid.uuid4()}"
    monkeypatch.setenv(MARK, mark)

    def its_own() -> set[int]:
        pids = set()
        for process in psutil.process_iter(["status"]):
            with contextlib.suppress(psutil.Error):
                if process.info["status"] != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == mark:
                    pids.add(process.pid)
        return pids - {os.getpid()}

    def shared() -> set[str]:
        return {path.name for path in Path("/dev/shm").iterdir()}

    before = shared()
    running = Running(whole.home, "run", "digits", *TINY, "--trials", "2", "--concurrency", "2", "--name", "tidy")
    running.until("tidy", lambda lines: measured(lines, trial=1))
    assert len(its_own()) >= 4  # the driver, two of Ray's servers, workers
    running.look()
    assert running.wait().code == 0
    assert running.left_behind() == []
    limit = time.monotonic() + 20
    while (its_own() or shared() - before) and time.monotonic() < limit:
        time.sleep(0.2)
    assert its_own() == set()
    assert shared() - before == set()
