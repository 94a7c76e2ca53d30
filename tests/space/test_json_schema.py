"""The JSON schema of the YAML: it takes what `gansweep run` takes, and underlines what that refuses."""

import copy
import re
from typing import Any

import jsonschema
import pytest
from yaml import SafeLoader

from pipeline.errors import InputError
from pipeline.space import yaml
from pipeline.space.json_schema import json_schema
from pipeline.space.load import from_tree, load, presets

SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def wrong(tree: Any) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(tree)]


def changed(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    tree = copy.deepcopy(yaml.read_mapping(presets()["digits"]))
    part = tree
    for step in path[:-1]:
        part = part.setdefault(step, {})
    part[path[-1]] = value
    return tree


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("preset", presets())
def test_every_preset_is_valid_as_it_is_and_as_resolved(preset: str) -> None:
    assert wrong(yaml.read_mapping(presets()[preset])) == []
    assert wrong(load(preset).tree) == []


class Editor(SafeLoader):
    """A file as an editor reads it, by the core schema of YAML 1.2: 120_000 is text there."""


Editor.yaml_implicit_resolvers = {}
for tag, pattern in {
    "bool": r"true|True|TRUE|false|False|FALSE",
    "null": r"~|null|Null|NULL|",
    "int": r"[-+]?[0-9]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?",
    "merge": r"<<",
}.items():
    Editor.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"(?:{pattern})$"), None)


@pytest.mark.parametrize("preset", presets())
def test_no_preset_is_underlined_by_an_editor(preset: str) -> None:
    loader = Editor(presets()[preset].read_text())
    assert wrong(loader.get_single_data()) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("generatr",), {}),
        (("generator", "widht"), 8),
        (("optimiser", "lr"), 1e-3),
        (("search", "trails"), 3),
        (("rungs", "reductoin"), 3),
        (("health", "diverged"), {"treshold": 3}),
        (("game", "choice", "hinge", "objectiv"), "hinge"),
        (("regularisers", "choice", "r1", "r1", "wieght"), 3),
        (("game", "choice", "hinge", "with", "optimizer"), {}),
        (("game", "choice", "hinge", "objective"), "hing"),
        (("evaluation", "features"), "incepton"),
        (("data", "name"), "digts"),
        (("optimiser", "lr_g"), {"logg": [1e-5, 1e-2]}),
        (("optimiser", "lr_g"), {"log": [1e-5]}),
        (("batch_size",), "many"),
        (("batch_size",), 100_000),
        (("batch_size",), "6_4"),
        (("generator", "width"), {"choice": []}),
    ],
    ids=str,
)
def test_what_run_refuses_is_underlined(path: tuple[str, ...], value: Any) -> None:
    tree = changed(path, value)
    assert wrong(tree)
    with pytest.raises(InputError):
        from_tree(tree, "x.yaml")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("optimiser", "lr_g"), 2e-4),
        (("optimiser", "beta1"), {"choice": [0, 0.5]}),
        (("batch_size",), {"choice": [32, 64]}),
        (("generator", "width"), {"steps": [16, 48, 16]}),
        (("generator", "width"), {"log_int": [8, 64]}),
        (("health",), {"diverged": None, "low_diversity": {"grace": 0.3}}),
        (("objective",), ["fid", {"images_to_reach": {"metric": "fid", "value": 50}}]),
        (("augmentation",), {"choice": {"none": {}, "ada": {"ada": {}}}}),
    ],
    ids=str,
)
def test_what_run_takes_is_valid(path: tuple[str, ...], value: Any) -> None:
    tree = changed(path, value)
    del tree["known_good"]  # it has a value for what is searched, and no other
    if path == ("objective",):
        del tree["rungs"]
    from_tree(tree, "x.yaml")
    assert wrong(tree) == []
