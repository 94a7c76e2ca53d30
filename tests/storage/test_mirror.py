"""A run's folder and what is of it in the storage."""

from pathlib import Path
from typing import ClassVar

import pytest

from pipeline.errors import Superseded
from pipeline.storage.mirror import Mirror
from pipeline.storage.posix import Posix
from pipeline.storage.storage import Storage, opened


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return opened(f"file://{tmp_path}/there")


def write(folder: Path, name: str, content: bytes) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def test_what_is_written_comes_and_what_is_removed_goes(storage: Storage, tmp_path: Path) -> None:
    here, mirror = tmp_path / "here", Mirror(tmp_path / "here", storage, "trials/0/seed-1")
    write(here, "checkpoints/1.pt", b"1")
    write(here, "checkpoints/2.part", b"not whole")
    mirror.push()
    assert storage.names("trials") == ["trials/0/seed-1/checkpoints/1.pt"]
    write(here, "checkpoints/2.pt", b"2")
    write(here, "traceback.txt", b"first")
    (here / "checkpoints/1.pt").unlink()
    mirror.push()
    assert "trials/0/seed-1/checkpoints/1.pt" in storage.names("trials"), "until what follows it is there"
    write(here, "traceback.txt", b"the second")
    mirror.push()
    assert storage.names("trials") == ["trials/0/seed-1/checkpoints/2.pt", "trials/0/seed-1/traceback.txt"]
    assert storage.get("trials/0/seed-1/traceback.txt") == b"the second"


def test_another_machine_goes_on_from_it(storage: Storage, tmp_path: Path) -> None:
    write(tmp_path / "one", "checkpoints/1.pt", b"1")
    write(tmp_path / "one", "samples/1.png", b"picture")
    Mirror(tmp_path / "one", storage, "run").push()
    mirror = Mirror(tmp_path / "two", storage, "run")
    mirror.pull("checkpoints")
    assert (tmp_path / "two/checkpoints/1.pt").read_bytes() == b"1"
    assert not (tmp_path / "two/samples").exists()
    (tmp_path / "two/checkpoints/1.pt").unlink()
    mirror.push()
    assert storage.names("run") == ["run/samples/1.png"], "what it brought and removed is removed, and nothing else"


def test_what_nothing_follows_is_removed_at_once(storage: Storage, tmp_path: Path) -> None:
    here, mirror = tmp_path / "here", Mirror(tmp_path / "here", storage, "run")
    for number in (1, 2, 3):
        write(here, f"checkpoints/{number}.pt", b"content")
        mirror.push()
        if number > 1:
            (here / f"checkpoints/{number - 1}.pt").unlink()
    assert storage.names("run") == ["run/checkpoints/1.pt", "run/checkpoints/2.pt", "run/checkpoints/3.pt"]
    mirror.push()
    assert storage.names("run") == ["run/checkpoints/3.pt"]


def test_what_was_followed_by_a_newer_one_meanwhile_is_no_reason_to_begin_anew(tmp_path: Path) -> None:
    class Moving(Posix):
        def get(self, name: str) -> bytes:
            if name == "run/checkpoints/1.pt":
                self.put("run/checkpoints/2.pt", b"2")
                self.delete(name)
            return super().get(name)

    there = Moving(f"file://{tmp_path}/there")
    there.put("run/checkpoints/1.pt", b"1")
    Mirror(tmp_path / "here", there, "run").pull("checkpoints")
    assert (tmp_path / "here/checkpoints/2.pt").read_bytes() == b"2"


def test_one_that_was_asleep_takes_nothing_from_its_successor(storage: Storage, tmp_path: Path) -> None:
    write(tmp_path / "old", "samples/1.png", b"old")
    old = Mirror(tmp_path / "old", storage, "run")
    write(tmp_path / "new", "samples/1.png", b"new")
    write(tmp_path / "new", "checkpoints/2-attempt-0002.pt", b"new")
    Mirror(tmp_path / "new", storage, "run").push()
    old.push()
    assert storage.get("run/samples/1.png") == b"new"
    assert storage.names("run") == ["run/checkpoints/2-attempt-0002.pt", "run/samples/1.png"]


def test_a_checkpoint_comes_after_what_it_speaks_of(tmp_path: Path) -> None:
    class Telling(Posix):
        told: ClassVar[list[str]] = []

        def put_if_absent(self, name: str, content: bytes) -> bool:
            self.told.append(name)
            return super().put_if_absent(name, content)

    names = ("checkpoints/1.pt", "checkpoints/2.pt", "zoo/1.csv", "samples/1.png", "alone/2.png")
    for name in names:
        write(tmp_path / "here", name, b"content")
    Mirror(tmp_path / "here", Telling(f"file://{tmp_path}/there"), "run").push()
    assert sorted(Telling.told) == sorted(f"run/{name}" for name in names)
    assert Telling.told[-2:] == ["run/checkpoints/1.pt", "run/checkpoints/2.pt"]


def test_nothing_is_put_that_the_guard_refuses(storage: Storage, tmp_path: Path) -> None:
    def refuse() -> None:
        raise Superseded("another has it")

    write(tmp_path / "here", "checkpoints/1.pt", b"1")
    with pytest.raises(Superseded):
        Mirror(tmp_path / "here", storage, "run", refuse).push()
    assert storage.names("run") == []
