"""The sweep's lock in a storage: who has it, who may take it over, and who notices."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import Busy, StorageLost, Superseded
from pipeline.record import claim
from pipeline.record.claim import Claim
from pipeline.record.lock import whoever
from pipeline.storage.posix import Posix
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
    claim.Sight(storage, "mine").check()
    with pytest.raises(Busy, match=r"driven by process \d+ on "):
        Claim(storage, "yours").acquire()
    first.release()
    assert claim.holder(storage) is None
    second = Claim(storage, "yours")
    second.acquire()
    assert second.taken_over is None
    with pytest.raises(Superseded):
        claim.Sight(storage, "mine").check()
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


def test_a_worker_looks_anew_where_its_last_look_is_long_ago(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(claim, "_now", lambda: now[0])
    of_another_host(storage)
    sight = claim.Sight(storage, "theirs")
    sight.check()
    of_another_host(storage, 2, session="yours")
    sight.check()
    now[0] += claim.OLD
    for _ in range(2):
        with pytest.raises(Superseded, match=r"on elsewhere .* has the sweep now; this worker wrote nothing more"):
            sight.check()


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


class Failing(Posix):
    """`fails`: what of it raises the error; of a put it is the answer that is lost."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.fails: set[str] = set()
        self.error: Exception = StorageLost("the storage fails")

    def put_if_absent(self, name: str, content: bytes) -> bool:
        done = super().put_if_absent(name, content)
        self._fail("put_if_absent")
        return done

    def names(self, folder: str, after: str = "") -> list[str]:
        self._fail("names")
        return super().names(folder, after)

    def delete(self, name: str) -> None:
        self._fail("delete")
        super().delete(name)

    def _fail(self, what: str) -> None:
        if what in self.fails:
            raise self.error


@pytest.fixture
def failing(storage: Storage) -> Failing:
    return Failing(storage.url)


def test_a_claim_whose_clean_up_fails_is_one_all_the_same(failing: Failing) -> None:
    of_another_host(failing, released=True)
    failing.fails = {"delete"}
    mine = Claim(failing, "mine")
    mine.acquire()
    claim.Sight(failing, "mine").check()
    mine.release()
    assert claim.holder(failing) is None


def test_a_claim_whose_answer_was_lost_is_released(failing: Failing) -> None:
    failing.fails = {"put_if_absent"}
    mine = Claim(failing, "mine")
    with pytest.raises(StorageLost):
        mine.acquire()
    mine.release()
    failing.fails = set()
    other = Claim(failing, "yours")
    other.acquire()
    mine.release()
    claim.Sight(failing, "yours").check()
    other.release()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("error", [StorageLost("the storage fails"), FileNotFoundError()])
def test_a_heart_goes_on_beating_whatever_one_beat_met(failing: Failing, error: Exception) -> None:
    mine = Claim(failing, "mine")
    mine.acquire()
    failing.error, failing.fails = error, {"names"}
    time.sleep(3 * claim.BEAT)
    failing.fails = set()
    name = claim.newest(failing)
    assert name is not None
    before, end = failing.get(name), time.monotonic() + 30
    while failing.get(name) == before:
        assert time.monotonic() < end
        time.sleep(0.05)
    mine.release()


def test_before_it_puts_something_one_that_was_asleep_looks(failing: Failing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "BEAT", 1000.0)
    mine = Claim(failing, "mine")
    mine.acquire()
    of_another_host(failing, 2)
    mine.check()  # it has just seen that it has it
    monkeypatch.setattr(claim, "OLD", 0.0)
    failing.fails = {"names"}
    mine.check()  # a storage that does not answer takes nothing away
    failing.fails = set()
    with pytest.raises(Superseded, match="on elsewhere since"):
        mine.check()
    assert mine.lost


def test_what_a_driver_has_just_seen_is_looked_at_anew_where_it_is_asked_for(storage: Storage) -> None:
    mine = Claim(storage, "mine")
    mine.acquire()
    of_another_host(storage, 2)
    with pytest.raises(Superseded):
        mine.check(fresh=True)
    mine.release()
