"""What was moved: data and code by new names, and what a user says is elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError
from pipeline.record.events import Prepared
from pipeline.record.home import command, name_of
from pipeline.space.places import moved, placed, renamed
from pipeline.sweeps.start import changes


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that was in /former/project, with its data, its code and its sweeps beside each other."""
    for folder in ("photos of cats", "sweeps/one"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "mine.py").write_text("x = 1")
    (tmp_path / "start.pt").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("imagefolder:/former/project/photos of cats", "imagefolder:{}/photos of cats"),
        ("/former/project/mine.py:rows", "{}/mine.py:rows"),
        ("/former/project/start.pt", "{}/start.pt"),
        ("/former/project/gone.py:rows", None),
        ("/somewhere/else/mine.py:rows", None),
        ("digits", None),
        ("a line of text/with: signs", None),
    ],
)
def test_what_was_moved_along_with_its_home_is_found(project: Path, name: str, there: str | None) -> None:
    tree = {"data": {"name": name}, "regularisers": {"choice": [name, 1]}}
    names = moved(tree, Path("/former/project/sweeps/one"), project / "sweeps" / "one")
    assert names == ({name: there.format(project)} if there else {})
    assert placed(tree, names)["data"]["name"] == (there.format(project) if there else name)


def test_what_is_still_there_is_left(project: Path) -> None:
    name = f"{project}/mine.py:rows"
    assert moved({"data": {"name": name}}, Path("/former/project/sweeps/one"), project / "sweeps" / "one") == {}


@pytest.mark.parametrize(
    ("data", "to", "said"),
    [
        ("digits", "imagefolder:/new", "the sweep's is digits, leave it out"),
        ("mnist", "fashion_mnist", "its files: --data-root"),
        ("imagefolder:/old", "/old/mine.py:rows", "another place, imagefolder:"),
        ("/old/mine.py:rows", "imagefolder:/old", "another place, file.py:function"),
    ],
)
def test_data_of_another_kind_are_not_the_same_elsewhere(data: str, to: str, said: str) -> None:
    with pytest.raises(InputError, match=f"--data: found {to}") as caught:
        renamed(data, to)
    assert said in str(caught.value)


def test_data_elsewhere_are_named_by_their_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert renamed("imagefolder:/old", "imagefolder:new") == {"imagefolder:/old": f"imagefolder:{tmp_path}/new"}


def test_code_elsewhere_is_held_to_its_text() -> None:
    known: dict[str, Any] = {"data": {"name": "digits", "fingerprint": "x"}, "features": "f", "code": {"/a/m.py": "1"}}
    now = {**known, "code": {"/b/m.py": "1"}}
    names = {"/a/m.py:Game": "/b/m.py:Game"}
    before = Prepared(n=1, time=0.0, floor={}, floor_spread={}, **known)
    assert changes(before, now, names) == []
    assert changes(before, now, {}) == ["/a/m.py is not the code it was started with (1, now None)"]
    edited = changes(before, {**known, "code": {"/b/m.py": "2"}}, names)
    assert edited == ["/a/m.py is not the code it was started with (1, now 2)"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("my space (1)", "my-space-1"),
        ("Größe", "Grosse"),
        ("ünïcode_2", "unicode_2"),
        ("-rf *", "rf"),
        (".hidden", "hidden"),
        ("x" * 200, "x" * 64),
        ("猫", "sweep"),
        ("a/b\\c", "a-b-c"),
        ("ok-1.2_3", "ok-1.2_3"),
    ],
)
def test_any_text_becomes_a_name(text: str, name: str) -> None:
    assert name_of(text) == name


@pytest.mark.parametrize("home", ["my sweeps (1)", "a'b", "$HOME", "x;y", "plain"])
def test_what_to_type_is_quoted(home: str, tmp_path: Path) -> None:
    import shlex

    typed = command("resume", tmp_path / home / "one")
    assert shlex.split(typed) == ["gansweep", "resume", "one", "--home", str(tmp_path / home)]


def test_each_of_two_folders_is_found_where_it_was_moved_to(project: Path) -> None:
    (project / "dogs").mkdir()
    kept = project / "kept"
    kept.mkdir()
    name = f"imagefolders:{kept},/former/project/dogs"
    found = moved({"data": {"name": name}}, Path("/former/project/sweeps/one"), project / "sweeps/one")
    assert found == {name: f"imagefolders:{kept},{project}/dogs"}
    gone = "imagefolders:/former/project/gone,/elsewhere/dogs"
    assert moved({"data": {"name": gone}}, Path("/former/project/sweeps/one"), project / "sweeps/one") == {}


def test_two_folders_that_are_elsewhere_are_two_folders(tmp_path: Path) -> None:
    was, now = "imagefolders:/was/a,/was/b", f"imagefolders:{tmp_path}/a,{tmp_path}/b"
    assert renamed(was, now) == {was: now}
    with pytest.raises(InputError, match=r"valid: another place, imagefolders:\.\.\."):
        renamed(was, f"imagefolder:{tmp_path}/a")
