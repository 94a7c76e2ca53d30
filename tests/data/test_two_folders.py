"""Data of two domains in two folders: named, read, split and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from pipeline.data.dataset import load
from pipeline.data.sources import short_name
from pipeline.errors import InputError
from pipeline.schema.datasets import check_path
from pipeline.schema.trial import DataSpec
from pipeline.space import load as space

SPACE = """
data: {imagefolders: [light, dark], resolution: 8}
objective: fid.b
budget: {images: 400}
evaluation: {every: 200}
game: {name: translation}
generator: {network: cyclegan, width: 4, blocks: 1}
discriminator: {network: cyclegan, width: 4}
batch_size: 4
"""


def folder(path: Path, base: int, count: int = 120, mode: str = "RGB") -> Path:
    """Images of one value each, that of the folder and a little more."""
    path.mkdir()
    for at in range(count):
        value = base + at // 2
        Image.new(mode, (12, 12), (value, value, 255 - value) if mode == "RGB" else value).save(path / f"{at:03}.png")
    return path


@pytest.fixture
def two(tmp_path: Path) -> Path:
    folder(tmp_path / "light", 190)
    folder(tmp_path / "dark", 0, count=150)
    return tmp_path


def spec(two: Path, *names: str) -> DataSpec:
    return DataSpec(name="imagefolders:" + ",".join(str(two / name) for name in names), resolution=8)


def test_each_folder_is_a_domain_as_it_is_read_alone(two: Path) -> None:
    found = load(spec(two, "light", "dark"), None, two / "cache")
    assert list(found.domains) == ["a", "b"]
    assert [len(found.domains[name].train) for name in "ab"] == [72, 90]
    assert int(found.domains["a"].train[:, 0].min()) >= 190 > int(found.domains["b"].train[:, 0].max())
    for name, place in (("a", "light"), ("b", "dark")):
        alone = load(DataSpec(name=f"imagefolder:{two / place}", resolution=8), None, two / "cache")
        assert torch.equal(found.domains[name].train, alone.train)
        assert found.domains[name].fingerprint == alone.fingerprint
    assert (
        found.read == "a: light: 120 files, colour, 8 x 8 from 12 x 12; b: dark: 150 files, colour, 8 x 8 from 12 x 12"
    )
    assert load(spec(two, "dark", "light"), None, two / "cache").fingerprint != found.fingerprint


def test_grey_images_are_coloured_beside_a_domain_in_colour(two: Path) -> None:
    folder(two / "grey", 0, mode="L")
    found = load(spec(two, "grey", "dark"), None, two / "cache")
    grey = found.domains["a"].train
    assert grey.shape[1:] == (3, 8, 8)
    assert torch.equal(grey[:, 0], grey[:, 2])
    assert any(note.startswith("a: its images are grey") for note in found.notes)


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (("light",), r"1 folder; valid: imagefolders:PATH_A,PATH_B"),
        (("light", "dark", "light"), r"3 folders; valid: imagefolders:PATH_A,PATH_B"),
        (("light", "../{}/light"), "one folder as both domains"),
    ],
)
def test_other_than_two_folders_are_refused(two: Path, names: tuple[str, ...], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        spec(two, *(name.format(two.name) for name in names))


def test_a_folder_that_is_missing_or_too_small_is_named(two: Path) -> None:
    folder(two / "few", 0, count=20)
    with pytest.raises(InputError, match=r"gone: there is no such folder"):
        check_path(spec(two, "light", "gone").name)
    with pytest.raises(InputError, match="few: found 20 samples; valid: at least 100"):
        load(spec(two, "light", "few"), None, two / "cache")


def test_a_space_names_them_as_a_list(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(two)
    (two / "x.yaml").write_text(SPACE)
    name = f"imagefolders:{two}/light,{two}/dark"
    assert space.load("x.yaml").tree["data"]["name"] == name
    assert space.load_trial("x.yaml", ["data.resolution=16"])[0].data == DataSpec(name=name, resolution=16)
    (two / "x.yaml").write_text(SPACE.replace("imagefolders: [light, dark]", "name: 'imagefolders:light,dark'"))
    assert space.load("x.yaml").tree["data"]["name"] == name
    assert short_name(name) == "light_dark"


@pytest.mark.parametrize(
    ("there", "instead", "line"),
    [
        ("[light, dark]", "[light]", r"data.imagefolders: found \[light\]; valid: two folders, \[PATH_A, PATH_B\]"),
        ("[light, dark]", "['a,b', c]", "data.imagefolders: found a,b; valid: a path without a comma"),
        ("imagefolders:", "name: digits, imagefolders:", "data: found name and imagefolders; valid: one of them"),
        ("fid.b", "fid", 'objective: found "fid", and imagefolders:.* has domains a, b; valid on it: fid.a, fid.b'),
        ("fid.b", "fid.c", 'objective: found "fid.c", and imagefolders:.* has domains a, b'),
        ("fid.b", "fidd.b", 'objective: found "fidd.b", did you mean'),
        ("fid.b", "modes.b", 'objective: found "modes.b", which is for data of known modes'),
    ],
)
def test_what_a_space_cannot_say(two: Path, there: str, instead: str, line: str) -> None:
    assert there in SPACE
    (two / "x.yaml").write_text(SPACE.replace(there, instead))
    with pytest.raises(InputError, match=line):
        space.load(str(two / "x.yaml"))


def test_without_an_objective_it_is_that_of_the_second_domain(two: Path) -> None:
    (two / "x.yaml").write_text(SPACE.replace("objective: fid.b\n", ""))
    _, sweep, notices = space.load_trial(str(two / "x.yaml"))
    assert sweep.objective == "fid.b"
    assert any("taken as fid.b" in notice for notice in notices)


def test_a_domain_as_objective_of_data_of_one_is_refused(tmp_path: Path) -> None:
    tree: dict[str, Any] = {**space.load("digits").tree, "objective": "fid.b"}
    with pytest.raises(InputError, match=r'objective: found "fid.b", and digits has one domain; valid on it: fid, '):
        space.from_tree(tree, "x.yaml")
