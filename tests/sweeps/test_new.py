"""A new sweep and the folder that it would be in: what is there is another's, and is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import GansweepError, InputError, Unreachable
from pipeline.record.lock import Lock
from pipeline.record.log import Record
from pipeline.sweeps.sweep import Sweep

AWAY = "http://127.0.0.1:9"  # nobody listens there


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def new(home: Path, **launch: object) -> Sweep:
    return Sweep.from_file("digits", name="one", home=home, **launch)


@pytest.fixture
def preparing(tmp_path: Path) -> Iterator[Path]:
    """The folder of a sweep whose driver has the lock and has not written its first line."""
    folder = tmp_path / "one"
    lock = Lock(folder)
    lock.acquire()
    for name in ("log.txt", "events.jsonl"):
        (folder / name).write_text("")
    yield folder
    lock.release()


@pytest.mark.parametrize(
    ("launch", "why"),
    [
        ({}, "driven by process"),
        ({"tracking_uri": AWAY}, "does not answer"),  # looked for before the lock, which stays the other's
        ({"address": "nonsense"}, "driven by process"),
    ],
)
def test_a_second_start_leaves_the_first_ones_files_alone(
    tmp_path: Path, preparing: Path, launch: dict[str, str], why: str
) -> None:
    before = contents(preparing)
    with pytest.raises(GansweepError, match=why):
        new(tmp_path, **launch).run()
    assert contents(preparing) == before


@pytest.mark.parametrize("launch", [{"tracking_uri": AWAY}, {"address": "nonsense"}])
def test_a_start_that_is_refused_leaves_nothing_of_its_own(tmp_path: Path, launch: dict[str, str]) -> None:
    with pytest.raises((InputError, Unreachable)):
        new(tmp_path, **launch).run()
    assert not (tmp_path / "one").exists()


def test_a_start_that_is_refused_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "notes.txt").write_text("mine")
    with pytest.raises(Unreachable):
        new(tmp_path, tracking_uri=AWAY).run()
    assert contents(tmp_path / "one") == {"notes.txt": b"mine"}


@pytest.mark.parametrize("record", [None, b"", b'{"v": 1, "n": 0, torn'])
@pytest.mark.parametrize("left", ["trials/0/seed-1/checkpoints/images-000000000064-0123456789abcdef.pt", "trials/7"])
def test_a_folder_with_trials_and_no_record_is_not_taken_for_an_empty_one(
    tmp_path: Path, left: str, record: bytes | None
) -> None:
    (tmp_path / "one" / left).mkdir(parents=True)
    if record is not None:
        (tmp_path / "one" / "events.jsonl").write_bytes(record)
    with pytest.raises(InputError, match="has trials and no record") as caught:
        new(tmp_path)
    assert "--name one-2" in str(caught.value)
    assert (tmp_path / "one" / left).exists()


def test_a_sweep_that_was_begun_meanwhile_is_not_gone_on_with(tmp_path: Path) -> None:
    """Two looked, and found the name free; the first has ended by the time the second has the lock."""
    second = new(tmp_path)
    (tmp_path / "one").mkdir()
    first = Record(tmp_path / "one" / "events.jsonl")
    known = {"source": "x", "space": {}, "spec": {}, "seed": 0, "versions": {}}
    first.append("sweep", name="one", **known, token="of the first")
    record = first.path.read_text()
    with pytest.raises(InputError, match="the name one is taken"):
        second.run()
    assert contents(tmp_path / "one")["events.jsonl"] == record.encode()
