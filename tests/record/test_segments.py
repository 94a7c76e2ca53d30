"""The record in a storage: what waits and what does not, two drivers, and a folder that goes its own way."""

from pathlib import Path

import pytest

from pipeline.errors import InputError, StorageLost, Superseded
from pipeline.record import segments
from pipeline.record.log import Record, read
from pipeline.record.segments import Segments, agreed, lines_from, local_lines
from pipeline.storage.posix import Posix
from pipeline.storage.storage import Storage, opened

MEASUREMENT = {"images": 1, "metrics": {}, "signals": {}, "seconds": 1.0, "trial": 0, "seed": 1, "attempt": 1}
BEGAN = {"name": "s", "source": "s.yaml", "space": {}, "spec": {}, "seed": 1, "versions": {}}
ATTEMPT = {"trial": 0, "seed": 1, "attempt": 1}


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return opened(f"file://{tmp_path}/there")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "here"
    path.mkdir()
    return path


def driver(folder: Path, storage: Storage) -> Record:
    agreed(folder, storage)
    kept = Segments(storage, len(local_lines(folder)))
    record = Record(folder / "events.jsonl", kept=kept.take)
    if not local_lines(folder):
        record.append("sweep", **BEGAN)
    return record


def test_a_line_that_is_acted_on_is_there_with_those_that_waited(folder: Path, storage: Storage) -> None:
    record = driver(folder, storage)
    record.append("attempt", **ATTEMPT)
    record.append("measurement", **MEASUREMENT)
    assert len(lines_from(storage, 0)) == 2
    record.append("run_ended", **ATTEMPT, reason="completed", evidence={})
    assert lines_from(storage, 0) == local_lines(folder)
    assert lines_from(storage, 2) == local_lines(folder)[2:]
    assert storage.names(segments.FOLDER) == [segments.name_of(number) for number in (0, 1, 2)]


def test_what_waits_is_put_after_a_while(folder: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    agreed(folder, storage)
    kept = Segments(storage, 0)
    record = Record(folder / "events.jsonl", kept=kept.take)
    record.append("measurement", **MEASUREMENT)
    kept.flush()
    assert lines_from(storage, 0) == []
    monkeypatch.setattr(segments, "LONGEST", 0.0)
    kept.flush()
    assert len(lines_from(storage, 0)) == 1


def test_of_two_drivers_one_writes_the_record(folder: Path, storage: Storage, tmp_path: Path) -> None:
    one = driver(folder, storage)
    two = driver(tmp_path / "two", storage)
    one.append("attempt", **ATTEMPT)
    heard: list[object] = []
    two.listen(heard.append)
    for _ in range(2):
        with pytest.raises(Superseded, match="another driver has the sweep"):
            two.append("attempt", **ATTEMPT)
    assert heard == [], "nobody acted on it"
    one.append("attempt", **ATTEMPT | {"attempt": 2})
    assert lines_from(storage, 0) == local_lines(folder)
    said = agreed(tmp_path / "two", storage)
    assert said == "2 lines were written here after another driver had the sweep; they are in events.jsonl.superseded"
    assert local_lines(tmp_path / "two") == local_lines(folder)


def test_nothing_is_put_that_the_guard_refuses(folder: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise Superseded("another has it")

    monkeypatch.setattr(segments, "LONGEST", 0.0)
    kept = Segments(storage, 0, refuse)
    record = Record(folder / "events.jsonl", kept=kept.take)
    record.append("measurement", **MEASUREMENT)
    kept.flush()
    assert isinstance(kept.failed, Superseded)
    with pytest.raises(Superseded, match="another has it"):
        record.append("attempt", **ATTEMPT)
    assert storage.names(segments.FOLDER) == []


def test_each_side_gets_what_it_lacks(folder: Path, storage: Storage, tmp_path: Path) -> None:
    record = Record(folder / "events.jsonl")
    record.append("sweep", **BEGAN)
    record.append("trial", trial=0, point={}, spec={}, source="asked")
    assert agreed(folder, storage) is None, "a sweep that had no storage so far"
    assert lines_from(storage, 0) == local_lines(folder)
    elsewhere = tmp_path / "elsewhere"
    agreed(elsewhere, storage, adding=False)
    assert [line["event"] for line in read(elsewhere / "events.jsonl")[0]] == ["sweep", "trial"]
    driver(elsewhere, storage).append("attempt", **ATTEMPT)
    ahead = Record(elsewhere / "events.jsonl")
    ahead.append("measurement", **MEASUREMENT)
    before = lines_from(storage, 0)
    agreed(elsewhere, storage, adding=False)
    assert (lines_from(storage, 0), len(local_lines(elsewhere))) == (before, len(before) + 1)
    agreed(elsewhere, storage)
    assert agreed(folder, storage) is None
    assert local_lines(folder) == local_lines(elsewhere)


def test_a_storage_that_fails_lets_nobody_act_and_is_not_asked_again(folder: Path, tmp_path: Path) -> None:
    class Failing(Posix):
        asked = 0

        def put_if_absent(self, name: str, content: bytes) -> bool:
            self.asked += 1
            raise StorageLost("the storage fails")

    failing = Failing(f"file://{tmp_path}/there")
    record = Record(folder / "events.jsonl", kept=Segments(failing, 0).take)
    heard: list[object] = []
    record.listen(heard.append)
    for _ in range(2):
        with pytest.raises(StorageLost):
            record.append("attempt", **ATTEMPT)
    assert (heard, failing.asked) == ([], 1)


def test_a_segment_that_is_missing_is_said(folder: Path, storage: Storage) -> None:
    record = driver(folder, storage)
    for number in range(3):
        record.append("attempt", **ATTEMPT | {"attempt": number})
    storage.delete(segments.name_of(1))
    with pytest.raises(InputError, match=r"record/000000000002\.jsonl: the segment before it is missing"):
        lines_from(storage, 0)


def test_a_line_that_is_damaged_there_is_said(folder: Path, storage: Storage) -> None:
    driver(folder, storage)
    storage.put(segments.name_of(1), b"{\n")
    with pytest.raises(InputError, match=r"record: line 2: it is not JSON"):
        segments.events_since(storage, 0)
