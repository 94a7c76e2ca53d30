"""A Ray of our own that does not come up in its time, as on a machine that is too busy."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pipeline.cluster import connected
from pipeline.errors import Unreachable

pytestmark = pytest.mark.slow


@pytest.fixture
def _stopped() -> Iterator[None]:
    """Of this process's children one that is a raylet is stopped as soon as it is there."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.005):
            for each in psutil.Process().children(recursive=True):
                try:
                    if each.name() == "raylet" and each.status() != psutil.STATUS_STOPPED:
                        each.suspend()
                except psutil.Error:
                    continue

    thread = threading.Thread(target=watch)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose name is short enough for Ray's sockets."""
    with tempfile.TemporaryDirectory(prefix="late-") as folder:
        yield Path(folder)


@pytest.mark.usefixtures("_stopped")
def test_it_is_one_line_and_nothing_of_it_is_left(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(short))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with (
        pytest.raises(Unreachable, match=r"^Ray on this machine cannot be reached: [^\n]+$") as error,
        connected(None, print),
    ):
        pass
    assert error.value.exit_code == 3
    assert not list((short / "ray").glob(f"session_*_{os.getpid()}"))
    names = {each.name() for each in psutil.Process().children(recursive=True)}
    assert not names & {"raylet", "gcs_server"}
