"""sweep.yaml: it says what it is, and an edit is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.space import yaml
from pipeline.sweeps.sweep_yaml import FIRST, edited, write
from tests.drivers.fake_tune import sweep_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "my home" / "one"
    made.mkdir(parents=True)
    write(made, sweep_file().tree)
    return made


def test_it_says_what_it_is_and_is_read_back(folder: Path) -> None:
    text = (folder / "sweep.yaml").read_text()
    assert text.startswith("# ")
    assert "the record beside it decides" in text.splitlines()[0]
    assert yaml.read_mapping(folder / "sweep.yaml") == sweep_file().tree
    assert edited(folder, sweep_file().tree) == []
    (folder / "sweep.yaml").write_text(text.removeprefix(FIRST))  # as it was written before
    assert edited(folder, sweep_file().tree) == []


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("trials: 8", "trials: 30", "gansweep resume one --home '{home}' --trials 30"),
        (
            "images: 500",
            "images: 900",
            "gansweep run '{home}/one/sweep.yaml' --name one --home '{home}' starts another",
        ),
        ("network: dcgan", "network: mlp", "starts another sweep from it"),
        ("seed: 5", "seed: 6", "search.seed 6, was 5"),
        ("trials: 8", "trials: [", "is not YAML"),
        ("trials: 8", "trails: 8", "search.trails 8, was None"),
    ],
)
def test_an_edit_is_noticed_with_what_to_type(folder: Path, was: str, now: str, said: str) -> None:
    path = folder / "sweep.yaml"
    assert was in path.read_text()
    path.write_text(path.read_text().replace(was, now))
    [line] = edited(folder, sweep_file().tree)
    assert str(path) in line
    assert said.format(home=folder.parent) in line
    assert now in path.read_text()  # it is the user's


def test_one_that_is_gone_is_written_again(folder: Path) -> None:
    (folder / "sweep.yaml").unlink()
    assert edited(folder, sweep_file().tree) == []
    assert yaml.read_mapping(folder / "sweep.yaml") == sweep_file().tree
