"""A copied folder that goes on is another sweep, one that was moved or renamed is not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.record.events import Line
from pipeline.record.log import Record, read
from pipeline.sweeps.start import copied_from
from pipeline.tracking.projection import identity, title

URI = "sqlite:////home/mlflow.db"


def sweep(folder: Path, **driver: Any) -> None:
    folder.mkdir(parents=True)
    record = Record(folder / "events.jsonl")
    record.append("sweep", name=folder.name, source="x", space={}, spec={}, seed=0, versions={})
    place = {"folder": str(folder), "tracking": URI}
    record.append("driver", **{"session": "s", "state": "started", "place": place, **driver})
    record.close()


def lines(folder: Path) -> list[Line]:
    return read(folder / "events.jsonl")[0]


@pytest.mark.parametrize("to", ["b", "elsewhere/a", "elsewhere/b"])
def test_a_copy_beside_its_original_is_another_sweep(tmp_path: Path, to: str) -> None:
    original, copy = tmp_path / "a", tmp_path / to
    sweep(original)
    shutil.copytree(original, copy)
    assert copied_from(lines(copy), copy, URI) == original
    assert copied_from(lines(copy), copy, "sqlite:////copy/mlflow.db") is None  # it writes to another place anyway
    assert copied_from(lines(original), original, URI) is None
    record = Record(copy / "events.jsonl")
    place = {"folder": str(copy), "tracking": URI}
    record.append("driver", session="t", state="started", place=place, identity="its own", copy_of=str(original))
    assert (identity(lines(copy)), title(lines(copy), copy)) == ("its own", copy.name)
    assert identity(lines(original)) != "its own"
    assert copied_from(lines(copy), copy, URI) is None  # from here on it is itself


@pytest.mark.parametrize("to", ["b", "elsewhere/a"])
def test_what_was_moved_is_the_same_sweep(tmp_path: Path, to: str) -> None:
    sweep(tmp_path / "a")
    before = identity(lines(tmp_path / "a"))
    (tmp_path / to).parent.mkdir(exist_ok=True)
    shutil.move(tmp_path / "a", tmp_path / to)
    assert copied_from(lines(tmp_path / to), tmp_path / to, URI) is None
    assert identity(lines(tmp_path / to)) == before
    assert title(lines(tmp_path / to), tmp_path / to) == "a"


def test_another_sweep_in_the_former_place_is_not_the_original(tmp_path: Path) -> None:
    sweep(tmp_path / "a")
    shutil.move(tmp_path / "a", tmp_path / "b")
    sweep(tmp_path / "a")
    assert copied_from(lines(tmp_path / "b"), tmp_path / "b", URI) is None


def test_a_link_to_the_folder_is_no_copy(tmp_path: Path) -> None:
    sweep(tmp_path / "a")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert copied_from(lines(tmp_path / "link"), tmp_path / "link", URI) is None


def test_a_copy_of_before_places_were_kept_is_known_by_its_name(tmp_path: Path) -> None:
    sweep(tmp_path / "a", place=None)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert copied_from(lines(tmp_path / "b"), tmp_path / "b", URI) == tmp_path / "a"
