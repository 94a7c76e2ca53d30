"""A name that YAML takes for a number, a truth or nothing stays the text that was written."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from pipeline.errors import InputError
from pipeline.record.home import folder_of, free_name
from pipeline.record.log import Record
from pipeline.space.load import from_tree, load
from pipeline.space.override import override
from pipeline.space.yaml import dump, parse, read_mapping
from pipeline.sweeps.start import Start, begin
from pipeline.sweeps.sweep import Sweep
from pipeline.tracking.files import uploads
from tests.space.test_load import SPACE

NAMES = ["007", "1e3", "null", "true", "2024", "0_1", "-5", "1_000"]


def space(label: str) -> str:
    """A choice with this label, which its known_good point names as one would write it."""
    written = f"{{choice: {{none: {{}}, {label}: {{r1: {{weight: {{log: [0.1, 10]}}}}}}}}}}"
    tree = parse(SPACE, "SPACE")
    tree["regularisers"] = None
    point = "{" + ", ".join(f"{key}: {value}" for key, value in point_of(tree).items()) + f", regularisers: {label}, "
    tree.pop("known_good")
    return (
        dump({key: value for key, value in tree.items() if key != "regularisers"})
        + f"regularisers: {written}\nknown_good:\n  - {point}regularisers.r1.weight: 1.0}}\n"
    )


def point_of(tree: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tree["known_good"][0].items() if not key.startswith("regularisers")}


@pytest.mark.parametrize("label", NAMES)
def test_the_label_of_an_option(tmp_path: Path, label: str) -> None:
    (tmp_path / "x.yaml").write_text(space(label))
    file = load(str(tmp_path / "x.yaml"))
    assert file.known_good[0]["regularisers"] == label
    again = from_tree(parse(dump(file.tree), "again"), file.source)  # as sweep.yaml has it
    assert again.known_good == file.known_good
    alone = load(str(tmp_path / "x.yaml"), [f"regularisers={label}", "known_good=[]"])
    assert alone.tree["regularisers"] == file.tree["regularisers"]["choice"][label]


def test_a_label_that_could_be_two_is_not_guessed(tmp_path: Path) -> None:
    text = space("007").replace("{none: {}", "{none: {}, 7: {}")
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(InputError, match="regularisers: found 7; valid: none, 7, 007"):
        load(str(tmp_path / "x.yaml"))
    (tmp_path / "x.yaml").write_text(text.replace("regularisers: 007", 'regularisers: "007"'))
    assert load(str(tmp_path / "x.yaml")).known_good[0]["regularisers"] == "007"


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_for_a_key_of_text(name: str) -> None:
    tree = override({}, [f"data.name={name}", f"objective={name}", f"init_from.path={name}", f"batch_size={name}"])
    assert (tree["data"]["name"], tree["objective"], tree["init_from"]["path"]) == (name, name, name)
    assert tree["batch_size"] == parse(name, "")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("init_from=2024", "2024"),
        ("init_from=null", None),
        ("objective=[fid, precision]", ["fid", "precision"]),
        ("evaluation.metrics.true.name=1e3", {"true": {"name": "1e3"}}),
        ("generator.options.width=007", {"width": 7}),
        ("game.options={choice: [1]}", {"choice": [1]}),
    ],
)
def test_what_may_be_something_else_is_that(setting: str, value: Any) -> None:
    tree = override({}, [setting])
    while len(tree) == 1 and tree != value and isinstance(next(iter(tree.values())), dict) and "choice" not in tree:
        tree = next(iter(tree.values()))
    assert value in (tree, *tree.values())


@pytest.mark.parametrize("name", [name for name in NAMES if name[0] != "-"])
def test_a_sweep_and_its_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.yaml"
    path.write_text(SPACE)
    assert load(str(path)).name == name
    sweep = Sweep.from_file(path, name=name, home=tmp_path / "home")
    assert (sweep.name, sweep.folder) == (name, folder_of(name, tmp_path / "home"))
    assert free_name(tmp_path / "home", name) == name


def test_the_files_of_a_sweep_are_read_back_as_they_are(tmp_path: Path) -> None:
    """YAML 1.1 writes the text 1e3 without quotes, which 1.2 reads as a number."""
    (tmp_path / "x.yaml").write_text(space("1e3"))
    sweep = Sweep.from_file(tmp_path / "x.yaml", name="1e3", home=tmp_path / "home")
    sweep.folder.mkdir(parents=True)
    held: Any = SimpleNamespace(session="s", taken_over=None)
    prepared: dict[str, Any] = {"data": {}, "floor": {}, "floor_spread": {}}
    begin(sweep, Record(sweep.folder / "events.jsonl"), Start("search", held, prepared, 1, accept_changes=False))
    text = (sweep.folder / "sweep.yaml").read_text()
    for read in (lambda: read_mapping(sweep.folder / "sweep.yaml"), lambda: yaml.safe_load(text)):
        assert read()["known_good"][0]["regularisers"] == "1e3"
    point: dict[str, Any] = {"trial": 0, "point": {}, "spec": {"name": "1e3"}, "source": "x"}
    state: Any = None
    (spec,) = uploads(state, {"v": 1, "n": 1, "time": 0.0, "event": "trial", **point}, sweep.folder)
    assert parse(str(spec.text), "spec.yaml") == {"name": "1e3"}
