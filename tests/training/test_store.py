"""The store: what is kept, what is refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.errors import Superseded
from pipeline.schema.metrics import METRICS
from pipeline.training.store import DamagedCheckpoint, Store, load
from tests.training.toy import OBJECTIVE, run


def content(value: float = 0.0) -> dict[str, Any]:
    return {"state": {"weight": torch.full((3,), value)}, "measurement": {"images": 1}}


def images(store: Store) -> list[int]:
    return sorted(int(path.name.split("-")[1]) for path in store.checkpoints.glob("*.pt"))


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    store = Store(tmp_path)
    name = store.save(64, content(2.0))
    assert store.at(64) == name
    assert store.at(65) is None
    newest = store.newest()
    assert newest is not None
    assert newest[0] == name
    assert torch.equal(newest[1]["state"]["weight"], torch.full((3,), 2.0))


def test_the_newest_is_of_most_images_whatever_its_digits(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for count in (9, 10, 99, 100_000_000):
        newest = store.save(count, content(count))
        assert store.newest()[0] == newest  # type: ignore[index]
    assert Store(tmp_path).newest()[0] == newest  # type: ignore[index]


def test_the_last_two_and_the_best_are_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    names = {count: store.save(count, content()) for count in (100, 200, 300, 400)}
    store.keep(best=names[200])
    assert images(store) == [200, 300, 400]
    store.keep(best=names[400])
    assert images(store) == [300, 400]
    store.keep(best=names[300], last=0)
    assert images(store) == [300]
    store.keep(best=None, last=0)
    assert images(store) == []


def test_what_a_killed_write_left_is_removed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(100, content())
    left = store.checkpoints / "images-000000000200-0123456789abcdef.part"
    left.write_bytes(b"half")
    assert store.newest() is not None
    assert store.damaged == []
    store.keep(best=None)
    assert not left.exists()
    assert images(store) == [100]


def test_what_a_damaged_checkpoint_left_ahead_is_removed(tmp_path: Path) -> None:
    """Else two damaged ones would be the last two, and what is written after them would not be kept."""
    store = Store(tmp_path)
    good, *spoilt = (store.save(count, content()) for count in (100, 300, 400))
    for name in spoilt:
        (tmp_path / name).write_bytes(b"")
    newest = store.newest()
    assert newest is not None
    assert newest[0] == good
    again = store.save(200, content(1.0))
    store.keep(best=good)
    assert images(store) == [100, 200]
    assert store.newest()[0] == again  # type: ignore[index]


def test_a_run_keeps_its_last_two_and_its_best(tmp_path: Path) -> None:
    measurements = []
    sign = 1 if METRICS[OBJECTIVE].minimise else -1
    for measurement in run(tmp_path):
        measurements.append(measurement)
        best = min(measurements, key=lambda m: sign * m.metrics[OBJECTIVE])
        kept = {m.images for m in [*measurements[-2:], best]}
        assert images(Store(tmp_path)) == sorted(kept)
        assert measurement.checkpoint is not None
        saved = load(tmp_path / measurement.checkpoint)
        assert saved["measurement"]["metrics"] == measurement.metrics
        assert saved["state"]["best"] == {"value": best.metrics[OBJECTIVE], "images": best.images}


def attempts(store: Store) -> list[tuple[int, str]]:
    """What is there: images, and whose."""
    split = [path.stem.split("-") for path in store.checkpoints.glob("*.pt")]
    return sorted((int(parts[1]), parts[3] if parts[2] == "attempt" else "") for parts in split)


def test_an_attempt_takes_nothing_from_a_later_one(tmp_path: Path) -> None:
    """The first one slept while the second went on from its checkpoint, and is awake again."""
    first, second = Store(tmp_path, attempt=1), Store(tmp_path, attempt=2)
    first.save(100, content())
    for count in (200, 300, 400):
        second.save(count, content())
        second.keep(best=None)
    late = first.save(150, content())
    first.keep(best=late, last=0)
    assert attempts(second) == [(150, "0001"), (300, "0002"), (400, "0002")]
    newest = second.newest()
    assert newest is not None
    assert newest[0] == second.at(400)
    second.keep(best=None)  # what those before it left is over
    assert attempts(second) == [(300, "0002"), (400, "0002")]


def test_an_attempt_goes_on_from_what_those_before_it_left(tmp_path: Path) -> None:
    old = Store(tmp_path).save(100, content(1.0))  # of before attempts were told apart
    for attempt in (1, 2, 3):
        store = Store(tmp_path, attempt=attempt)
        newest = store.newest()
        assert newest is not None
        assert newest[1]["state"]["weight"][0] == attempt
        store.save(100 * attempt + 100, content(attempt + 1.0))
        store.keep(best=None)
    assert not (tmp_path / old).exists()
    assert attempts(store) == [(300, "0002"), (400, "0003")]


@pytest.mark.parametrize("asked", [1, 2, 3], ids=["before the write", "before the rename", "before the removal"])
def test_an_attempt_that_is_no_more_the_runs_writes_and_removes_nothing(asked: int, tmp_path: Path) -> None:
    Store(tmp_path, attempt=1).save(100, content())
    calls = 0

    def guard() -> None:
        nonlocal calls
        calls += 1
        if calls >= asked:
            raise Superseded("another driver has it")

    store = Store(tmp_path, attempt=1, guard=guard)

    def go_on() -> None:
        store.save(200, content())
        store.keep(best=None, last=1)

    with pytest.raises(Superseded):
        go_on()
    assert [count for count, _ in attempts(store)] == ([100, 200] if asked == 3 else [100])
    assert list(store.checkpoints.glob("*.part")) == []


class Malice:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.write_text, (self.target, "run"))


@pytest.mark.parametrize("how", ["torch.save", "pickle"])
def test_code_in_a_checkpoint_is_refused_and_not_run(how: str, tmp_path: Path) -> None:
    path, target = tmp_path / "model.pt", tmp_path / "proof"
    if how == "torch.save":
        torch.save({"format": 1, "state": Malice(target)}, path)
    else:
        path.write_bytes(pickle.dumps(Malice(target), protocol=2))
    with pytest.raises(DamagedCheckpoint, match=r"model\.pt: cannot be read"):
        load(path)
    assert not target.exists()
    pickle.loads(pickle.dumps(Malice(target)))  # the malice is real
    assert target.exists()


@pytest.mark.parametrize(
    ("raw", "said"),
    [(b"", "cannot be read"), (b"PK\x03\x04 and no more", "cannot be read"), (None, "No such file")],
)
def test_what_is_no_checkpoint_is_said_in_one_line(raw: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "some.pt"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(DamagedCheckpoint, match=said) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_other_formats_are_said(tmp_path: Path) -> None:
    for number, other in enumerate(({"format": 99}, {}, [1, 2])):
        path = tmp_path / f"{number}.pt"
        torch.save(other, path)
        with pytest.raises(DamagedCheckpoint, match="not a checkpoint of this version"):
            load(path)
