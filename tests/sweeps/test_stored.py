"""A sweep in a storage and its copies in homes: who goes on with it, from where, and what of it is where."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError, Superseded, Unreachable
from pipeline.record import claim, segments
from pipeline.record.events import Line
from pipeline.record.lock import Lock, whoever
from pipeline.record.log import Record, read
from pipeline.record.segments import events_since, lines_from, local_lines
from pipeline.storage.posix import Posix
from pipeline.storage.storage import Storage, opened
from pipeline.sweeps import stored as storing
from pipeline.sweeps.setup import Setup
from pipeline.sweeps.start import Start, notices, recorded
from pipeline.sweeps.stored import Stored, stored
from pipeline.sweeps.sweep import Sweep
from tests import s3
from tests.picking.fake_race import FakeRace, searched

PREPARED: dict[str, Any] = {
    "data": {"name": "digits", "fingerprint": "x"},
    "floor": {},
    "floor_spread": {},
    "features": None,
    "code": {},
}
TRIAL: dict[str, Any] = {"trial": 0, "point": {}, "spec": {}, "source": "x"}
ATTEMPT = {"trial": 0, "seed": 1, "attempt": 1}
MEASUREMENT = {**ATTEMPT, "images": 1, "metrics": {}, "signals": {}, "seconds": 1.0}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"file://{tmp_path}/bucket"


@pytest.fixture
def there(url: str) -> Storage:
    return opened(f"{url}/one")


@contextmanager
def claimed(setup: Setup) -> Iterator[tuple[Lock, Stored]]:
    held = Lock(setup.folder)
    setup.folder.mkdir(parents=True, exist_ok=True)
    held.acquire()
    try:
        with stored(setup, held.session, lambda text: None) as kept:
            yield held, kept
    finally:
        held.release()


@contextmanager
def driving(setup: Setup) -> Iterator[Record]:
    """Its record, begun or gone on with, for the time of the block."""
    with claimed(setup) as (held, kept):
        record, _ = recorded(setup, started(held, kept))
        yield record
        record.close()


def started(held: Lock, kept: Stored) -> Start:
    return Start("search", held, PREPARED, 1, accept_changes=False, stored=kept)


def new(home: Path, url: str) -> Sweep:
    return Sweep.from_file("digits", name="one", home=home, storage=url)


def gone(there: Storage) -> dict[str, Any]:
    """The holder of the claim is made one whose process has ended; in truth it only sleeps."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    name = claim.newest(there)
    assert name is not None
    dead = {**json.loads(there.get(name)), "pid": ended.pid}
    there.put(name, json.dumps(dead).encode())
    return dead


def test_a_copy_that_is_behind_is_brought_up_to_date_without_a_word(tmp_path: Path, url: str, there: Storage) -> None:
    with driving(new(tmp_path / "a", url)) as record:
        record.append("trial", **TRIAL)
    there.put("best.yaml", b"first")
    Sweep.open("one", home=tmp_path / "b", storage=url)
    with driving(Sweep.open("one", home=tmp_path / "b")) as record:
        record.append("attempt", **ATTEMPT)
    there.put("best.yaml", b"second")
    behind = Sweep.open("one", home=tmp_path / "a")
    assert behind.launch.storage == url
    assert local_lines(behind.folder) == lines_from(there, 0)
    assert (behind.folder / "best.yaml").read_text() == "second"


def test_another_storage_than_the_one_that_has_it_is_refused(tmp_path: Path, url: str, there: Storage) -> None:
    with driving(new(tmp_path / "a", url)):
        pass
    other = f"file://{tmp_path}/other"
    with pytest.raises(InputError, match=rf"^--storage: found {other}, and one is in {url}; valid: --storage {url}"):
        Sweep.open("one", home=tmp_path / "a", storage=other)
    copy = opened(f"{other}/one")
    for name in there.names(""):
        copy.put(name, there.get(name))
    copy.put("best.yaml", b"of the copy")
    for home in ("empty", "a"):
        with pytest.raises(InputError, match=f"and one is in {url}"):
            Sweep.open("one", home=tmp_path / home, storage=other)
    assert not (tmp_path / "a/one/best.yaml").exists(), "nothing of it is brought"
    for name in there.names(""):
        there.delete(name)
    assert Sweep.open("one", home=tmp_path / "a", storage=other).launch.storage == other, "it has moved"


def test_one_that_had_no_storage_is_given_one_where_none_has_its_name(tmp_path: Path, url: str) -> None:
    mine = new(tmp_path / "a", url)
    plain = Sweep.from_file("digits", name="one", home=tmp_path / "plain")
    plain.folder.mkdir(parents=True)
    held = Lock(plain.folder)
    held.acquire()
    recorded(plain, Start("search", held, PREPARED, 1, accept_changes=False))[0].close()
    held.release()
    with driving(Sweep.open("one", home=tmp_path / "plain", storage=url)):
        pass
    with pytest.raises(InputError, match=f"the name one is taken in {url}"), driving(mine):
        pass
    other = f"file://{tmp_path}/other"
    with driving(new(tmp_path / "b", other)):
        pass
    before = local_lines(plain.folder)
    with pytest.raises(InputError, match=f"has another sweep of this name than {other}"):
        Setup.looked_at("one", tmp_path / "plain", other)
    assert local_lines(plain.folder) == before


def test_what_one_that_slept_wrote_before_the_next_ones_first_line_is_a_part_of_it(
    tmp_path: Path, url: str, there: Storage
) -> None:
    with claimed(new(tmp_path / "a", url)) as (held, kept):
        asleep, _ = recorded(new(tmp_path / "a", url), started(held, kept))
        asleep.append("trial", **TRIAL)
        dead = gone(there)
        with claimed(next_one := Sweep.open("one", home=tmp_path / "b", storage=url)) as (their, theirs):
            asleep.append("attempt", **ATTEMPT)
            record, lines = recorded(next_one, started(their, theirs))
            assert [line["event"] for line in lines[-2:]] == ["attempt", "driver"]
            assert lines[-1]["taken_over"] == dead
            assert any(text.startswith("took over the lock of a driver") for text in notices(record, lines))
            with pytest.raises(Superseded):
                asleep.append("attempt", **ATTEMPT | {"attempt": 2})
            record.append("attempt", **ATTEMPT | {"attempt": 3})
            assert [line.get("attempt") for line in events_since(there, 0)][-3:] == [1, None, 3]
            assert kept.superseded
            assert not theirs.superseded
            record.close()


def test_what_is_written_while_the_records_are_made_the_same_is_a_part_of_it(
    tmp_path: Path, url: str, there: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with driving(new(tmp_path / "a", url)) as asleep:
        asleep.append("trial", **TRIAL)
        theirs = Sweep.open("one", home=tmp_path / "b", storage=url)
        Record(theirs.folder / "events.jsonl").append("attempt", **ATTEMPT)  # nobody has put it yet

        class Waking(Posix):
            def put_if_absent(self, name: str, content: bytes) -> bool:
                if name == segments.name_of(4) and name not in self.names(segments.FOLDER):
                    asleep.append("attempt", **ATTEMPT | {"attempt": 2})
                return super().put_if_absent(name, content)

        gone(there)
        monkeypatch.setattr(storing, "opened", lambda url, patience=0.0: Waking(url))
        with claimed(theirs) as (_, kept):
            assert events_since(there, 0)[-1]["attempt"] == 2
            assert local_lines(theirs.folder) == lines_from(there, 0)
            assert not kept.superseded


def test_a_home_whose_driver_lost_the_sweep_goes_on_with_what_became_of_it(
    tmp_path: Path, url: str, there: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    with driving(new(tmp_path / "a", url)) as asleep:
        asleep.append("trial", **TRIAL)
        asleep.append("attempt", **ATTEMPT)
        asleep.append("measurement", **MEASUREMENT)  # waits, and is here alone
        gone(there)
        with driving(Sweep.open("one", home=tmp_path / "b", storage=url)) as record:
            record.append("attempt", **ATTEMPT | {"attempt": 2})
    memory = tmp_path / "a" / "one" / "tracking.json"
    memory.write_text("{}")
    behind = Sweep.open("one", home=tmp_path / "a")
    assert local_lines(behind.folder) == lines_from(there, 0)
    assert not memory.exists(), "what the tracker has is a place in another record"
    (said,) = caplog.messages
    assert said.startswith("note: one: 1 lines were written here after another driver had the sweep; they are in")


def test_one_that_wakes_up_looks_before_it_writes(
    tmp_path: Path, url: str, there: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "BEAT", 1000.0)  # it sleeps
    with driving(new(tmp_path / "a", url)) as asleep:
        gone(there)
        with claimed(Sweep.open("one", home=tmp_path / "b", storage=url)) as (_, kept):
            monkeypatch.setattr(claim, "OLD", 0.0)  # ... for longer than that
            before = events_since(there, 0)
            with pytest.raises(Superseded, match="this driver lost the sweep"):
                asleep.append("trial", **TRIAL)
            assert events_since(there, 0) == before
            assert len(local_lines(tmp_path / "a" / "one")) == len(before), "nothing of it is left to be put aside"
            kept.agree()


def test_what_waits_is_put_though_nobody_asks(
    tmp_path: Path, url: str, there: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "LONGEST", 0.0)
    monkeypatch.setattr(storing, "LOOK", 0.01)
    with driving(new(tmp_path / "a", url)) as record:
        record.append("trial", **TRIAL)
        record.append("attempt", **ATTEMPT)
        record.append("measurement", **MEASUREMENT)
        end = time.monotonic() + 60
        while events_since(there, 0)[-1]["event"] != "measurement":
            assert time.monotonic() < end
            time.sleep(0.01)


def test_what_a_worker_left_for_its_driver_is_fetched(tmp_path: Path, url: str, there: Storage) -> None:
    there.put("ray/hung-0-1-1.txt", b"Timeout")
    with claimed(new(tmp_path / "a", url)) as (_, kept):
        files = [(tmp_path / "a/one/ray" / name).absolute() for name in ("hung-0-1-1.txt", "hung-0-1-2.txt")]
        for file in files:
            kept.fetch(file)
        assert [file.exists() for file in files] == [True, False]
        assert files[0].read_bytes() == b"Timeout"


def test_a_bucket_that_writes_over_what_is_there_is_refused(tmp_path: Path) -> None:
    with s3.running() as server:
        server.simple, url = True, f"{server.url}/{tmp_path.name}"
        said = r"two drivers would write one record; valid: one that knows If-None-Match$"
        with pytest.raises(Unreachable, match=said), claimed(new(tmp_path, url)):
            pass
        assert opened(url).names("") == []


@pytest.fixture
def picked(tmp_path: Path, url: str) -> list[Line]:
    """A sweep whose pick ended right before what it found was put."""
    folder = tmp_path / "a" / "one"
    folder.parent.mkdir()
    searched(folder)
    race = FakeRace(folder)
    race.go()
    race.record.append("driver", doing="pick", session="p", state="finished")
    with driving(Sweep.open("one", home=tmp_path / "a", storage=url)):
        pass
    lines, _ = read(folder / "events.jsonl")
    return lines


def test_a_pick_that_is_over_puts_what_is_missing_and_only_where_the_sweep_is_its_own(
    tmp_path: Path, picked: list[Line], there: Storage
) -> None:
    there.put("best.yaml", b"of an earlier pick")
    name = claim.newest(there)
    assert name is not None
    released = there.get(name)
    there.put(name, json.dumps({**whoever("theirs"), "beat": "1"}).encode())
    sweep = Sweep.open("one", home=tmp_path / "a")
    with pytest.raises(InputError, match="driven by process"):
        sweep.pick()
    assert there.get("best.yaml") == b"of an earlier pick"
    there.put(name, released)
    sweep.pick()
    assert there.get("best.yaml") == (sweep.folder / "best.yaml").read_bytes()
    claims = there.names(claim.FOLDER)
    Sweep.open("one", home=tmp_path / "b", storage=sweep.launch.storage).pick()
    assert there.names(claim.FOLDER) == claims, "there is nothing to be put"
