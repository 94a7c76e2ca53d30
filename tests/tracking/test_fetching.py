"""What is to be sent of a sweep is brought from its storage."""

import threading
import time
from pathlib import Path

import pytest

from pipeline.storage.storage import opened
from pipeline.tracking import fetching
from pipeline.tracking.fetching import Fetching
from tests.report.synthetic import Made

PLACE = "trials/0/seed-1"


@pytest.fixture
def sweep(tmp_path: Path) -> Fetching:
    made = Made(tmp_path / "s", trials=1, evaluations=2)
    launch = {"trials": 1, "storage": f"file://{tmp_path}/there"}
    made.add("driver", session="s", state="started", doing="search", launch=launch, slots=1)
    return Fetching(tmp_path / "s", made.lines)


def test_a_checkpoint_that_is_on_its_way_when_its_run_ends_is_waited_for(sweep: Fetching, tmp_path: Path) -> None:
    storage, file = opened(f"file://{tmp_path}/there/s"), tmp_path / "s" / PLACE / "checkpoints/2.pt"
    threading.Timer(1.0, storage.put, (f"{PLACE}/checkpoints/2.pt", b"2")).start()
    sweep.file(file, time.time())
    assert file.read_bytes() == b"2"


def test_nothing_else_is_waited_for(sweep: Fetching, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "LOOK", 1e9)
    sweep.file(tmp_path / "s" / PLACE / "checkpoints/2.pt", time.time() - fetching.LATE)
    sweep.file(tmp_path / "s" / PLACE / "samples/2.png", time.time())
    assert not (tmp_path / "s" / PLACE).exists()
