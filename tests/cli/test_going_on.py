"""`gansweep run --resume`: one command that begins a sweep or goes on with it."""

from collections.abc import Callable
from pathlib import Path

from pipeline.record.lock import Lock
from tests.cli.conftest import Call
from tests.drivers.fake_tune import FakeTune


def test_a_sweep_that_another_driver_is_at_is_to_be_tried_later(
    call: Call, space: Callable[..., Path], tmp_path: Path
) -> None:
    """75 for who said that the sweep may have begun, as whatever starts a command again does."""
    folder = tmp_path / "home" / "mine"
    folder.mkdir(parents=True)
    FakeTune(folder).go()
    held = Lock(folder)
    held.acquire()
    try:
        later = call("run", space(), "--name", "mine", "--resume")
        now = call("resume", "mine")
    finally:
        held.release()
    assert (later.code, now.code) == (75, 2)
    assert "note: mine has begun, and goes on as it was begun" in later.err
    for said in (later, now):
        assert "gansweep: mine: driven by" in said.err
    again = call("run", space(), "--name", "mine")
    assert again.code == 2
    assert "the name mine is taken" in again.err
