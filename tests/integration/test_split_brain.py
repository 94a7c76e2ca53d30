"""A driver that was asleep for so long that another one took its sweep over: nothing of it lands when it wakes up."""

from __future__ import annotations

import hashlib
from pathlib import Path

import psutil
import pytest

from tests.integration.command import SWEEP, Running, events, measured

WAKE_AT = 2  # measurements of the first trial, of its 6


def content(folder: Path) -> dict[str, str]:
    """The record and all that runs left, by name, with a hash; what the tracker and the log have aside."""
    kept = [folder / "events.jsonl", *(folder / "trials").rglob("*")]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept if path.is_file()
    }


@pytest.mark.slow
@pytest.mark.parametrize("where", ["host", "container"])
def test_nothing_of_a_driver_that_slept_lands_once_another_has_its_sweep(tmp_path: Path, where: str) -> None:
    budget = ("--set", "budget.images=12000", "--set", "evaluation.every=2000")
    asleep = Running(tmp_path, "run", *SWEEP, "--name", "one", "--trials", "1", *budget)
    asleep.until("one", lambda lines: measured(lines, 0, WAKE_AT))
    everyone = [psutil.Process(asleep.pid), *asleep.look()]
    for process in everyone:
        process.suspend()
    try:
        before = events(tmp_path, "one")
        other = Running(tmp_path, "resume", "one", module="tests.integration.elsewhere", first=(where,)).wait()
        assert other.code in (0, 4), other.err
        lines, left = events(tmp_path, "one"), content(tmp_path / "one")
        assert lines[: len(before)] == before
        assert lines[-1]["event"] == "driver"
        assert {line["session"] for line in lines if line["event"] == "driver"} == {
            before[1]["session"],
            lines[-1]["session"],
        }
    finally:
        for process in everyone:
            process.resume()
    done = asleep.wait()
    assert done.code == 1, done.err
    assert "lost the sweep" in done.last
    assert content(tmp_path / "one") == left
    assert events(tmp_path, "one") == lines
    assert asleep.left_behind(agents=False) == []
