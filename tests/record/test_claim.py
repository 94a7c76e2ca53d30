"""The sweep's lock in a storage: who has it, who may take it over, and who notices."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import Busy, Superseded
from pipeline.record import claim
from pipeline.record.claim import Claim
from pipeline.record.lock import whoever
from pipeline.storage.storage import Storage, opened


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return opened(f"file://{tmp_path}/there")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "STALE", 0.6)
    monkeypatch.setattr(claim, "BEAT", 0.1)
    monkeypatch.setattr(claim, "LOOK", 0.05)


def of_another_host(storage: Storage, number: int = 1, **more: Any) -> str:
    name = f"{claim.FOLDER}/{number:08d}.json"
    storage.put(name, json.dumps({**whoever("theirs"), "host": "elsewhere", "beat": "1", **more}).encode())
    return name


def test_a_second_driver_is_told_who_has_it_until_it_is_released(storage: Storage) -> None:
    first = Claim(storage, "mine")
    first.acquire()
    claim.check(storage, "mine")
    with pytest.raises(Busy, match=r"driven by process \d+ on "):
        Claim(storage, "yours").acquire()
    first.release()
    assert claim.holder(storage) is None
    second = Claim(storage, "yours")
    second.acquire()
    assert second.taken_over is None
    with pytest.raises(Superseded):
        claim.check(storage, "mine")
    second.release()


def test_one_whose_process_is_gone_is_taken_over_at_once(storage: Storage) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    storage.put(f"{claim.FOLDER}/00000007.json", json.dumps({**whoever("dead"), "pid": gone.pid}).encode())
    mine = Claim(storage, "mine")
    mine.acquire()
    assert storage.names(claim.FOLDER) == [f"{claim.FOLDER}/00000008.json"]
    assert mine.taken_over is not None
    mine.release()


@pytest.mark.usefixtures("quick")
def test_one_of_another_host_is_taken_over_where_it_was_seen_not_to_beat(storage: Storage) -> None:
    said: list[str] = []
    of_another_host(storage)
    assert claim.holder(storage) is None
    mine = Claim(storage, "mine", said.append)
    mine.acquire()
    assert [text.partition(" since ")[0] for text in said] == [
        f"looking for 1 s whether process {whoever('')['pid']} on elsewhere"
    ]
    mine.release()


@pytest.mark.usefixtures("quick")
def test_one_that_beats_is_left_whatever_its_clock_says(storage: Storage) -> None:
    over = threading.Event()

    def beat() -> None:
        number = 0
        while not over.wait(0.05):
            number += 1
            of_another_host(storage, beat=str(number), since="1970-01-01 00:00:00")

    of_another_host(storage)
    thread = threading.Thread(target=beat)
    thread.start()
    try:
        assert claim.holder(storage) is not None
        with pytest.raises(Busy, match="on elsewhere since 1970"):
            Claim(storage, "mine").acquire()
    finally:
        over.set()
        thread.join()


@pytest.mark.usefixtures("quick")
def test_one_that_was_asleep_notices_and_does_not_take_it_back(storage: Storage) -> None:
    mine = Claim(storage, "mine")
    mine.acquire()
    name = of_another_host(storage, 2)
    end = time.monotonic() + 30
    while not mine.lost:
        assert time.monotonic() < end
        time.sleep(0.05)
    mine.release()
    assert claim.newest(storage) == name
    assert "elsewhere" in mine.said()
