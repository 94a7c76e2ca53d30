"""The search space: names by branch, what is asked for, and points given from outside."""

import pytest

from pipeline.errors import InputError
from pipeline.record.trials import params
from pipeline.space.distributions import Choice, Range, Steps
from pipeline.space.tree import Parameter, Space

TREE = {
    "lr": {"log": [1e-5, 1e-2]},
    "net": {
        "choice": {
            "mlp": {"depth": {"int": [1, 4]}, "kind": "mlp"},
            "conv": {
                "kind": "conv",
                "norm": {"choice": {"none": {}, "group": {"groups": {"choice": [4, 8]}}}},
                "depth": {"steps": [2, 6, 2]},
            },
        }
    },
    "drop": {"choice": {"same": None, "own": {"uniform": [0, 0.5]}}},
    "fixed": {"a": [1, 2], "b": {}},
}


@pytest.fixture
def space() -> Space:
    return Space.parse(TREE, "x.yaml")


def test_parameters_are_all_leaves_of_all_branches_in_the_order_of_the_tree(space):
    conv = (("net", "conv"),)
    assert space.parameters() == [
        Parameter("lr", Range(1e-5, 1e-2, log=True)),
        Parameter("net", Choice(("mlp", "conv"))),
        Parameter("net[mlp].depth", Range(1, 4, whole=True), (("net", "mlp"),)),
        Parameter("net[conv].norm", Choice(("none", "group")), conv),
        Parameter("net[conv].norm[group].groups", Choice((4, 8)), (*conv, ("net[conv].norm", "group"))),
        Parameter("net[conv].depth", Steps(2, 6, 2), conv),
        Parameter("drop", Choice(("same", "own"))),
        Parameter("drop[own]", Range(0.0, 0.5), (("drop", "own"),)),
    ]


def test_a_dotted_key_is_what_a_trial_shows(space):
    for parameter in space.parameters():
        assert list(params({parameter.name: 0})) == [parameter.key]


def test_only_what_exists_under_the_chosen_branches_is_asked_for(space):
    asked = []

    def choose(parameter: Parameter):
        asked.append(parameter.name)
        return {"net": "conv", "net[conv].norm": "none"}.get(parameter.name, parameter.distribution.ends[-1])

    point, tree = space.realise(choose)
    assert asked == ["lr", "net", "net[conv].norm", "net[conv].depth", "drop", "drop[own]"]
    assert list(point) == asked
    assert tree == {
        "lr": 1e-2,
        "net": {"kind": "conv", "norm": {}, "depth": 6},
        "drop": 0.5,
        "fixed": {"a": [1, 2], "b": {}},
    }


def test_the_chosen_option_can_be_a_plain_value(space):
    _, tree = space.realise(lambda p: p.distribution.ends[0])
    assert tree["drop"] is None
    assert tree["net"] == {"depth": 1, "kind": "mlp"}


def test_a_realised_tree_shares_nothing_with_the_space(space):
    _, tree = space.realise(lambda p: p.distribution.ends[0])
    tree["fixed"]["a"].append(3)
    assert space.realise(lambda p: p.distribution.ends[0])[1]["fixed"] == {"a": [1, 2], "b": {}}
    assert space.tree == TREE


@pytest.mark.parametrize(
    "given",
    [
        {"lr": 0.001, "net": "mlp", "net.depth": 2, "drop": "same"},
        {"lr": 0.001, "net": "mlp", "net[mlp].depth": 2, "drop": "same"},
        {"drop": "same", "net[mlp]": {"depth": 2}, "lr": 0.001, "net": "mlp"},
    ],
)
def test_a_point_is_given_by_dotted_keys_full_names_or_nested(space, given):
    point, tree = space.fixed(given)
    assert point == {"lr": 0.001, "net": "mlp", "net[mlp].depth": 2, "drop": "same"}
    assert tree["net"] == {"depth": 2, "kind": "mlp"}
    assert space.fixed(point) == (point, tree)


def test_a_value_is_taken_in_the_type_of_its_range(space):
    point, _ = space.fixed({"lr": 0.01, "net": "mlp", "net.depth": 2, "drop": "own", "drop[own]": 0})
    assert point["drop[own]"] == 0.0
    assert isinstance(point["drop[own]"], float)


GOOD = {"lr": 0.001, "net": "conv", "net.norm": "group", "net.norm.groups": 4, "net.depth": 4, "drop": "same"}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"lr": 1}, "lr: found 1; valid: 1e-05 to 0.01 (log)"),
        ({"lr": "fast"}, 'lr: found "fast"; valid: 1e-05 to 0.01 (log)'),
        ({"lr": True}, "lr: found true; valid: 1e-05 to 0.01 (log)"),
        ({"net.depth": 3}, "net.depth: found 3; valid: 2 to 6 in steps of 2"),
        ({"net.depth": 4.0}, "net.depth: found 4.0; valid: 2 to 6 in steps of 2"),
        ({"net.norm.groups": 5}, "net.norm.groups: found 5; valid: 4, 8"),
        ({"net": "cnn"}, 'net: found "cnn"; valid: mlp, conv'),
        ({"net.dept": 4}, 'unknown key "net.dept", did you mean "net.depth"? (valid: '),
        ({"net.norm": "none"}, "net.norm.groups: given, but it exists only with net[conv].norm: group"),
        ({"net[mlp].depth": 2}, "net[mlp].depth: given, but it exists only with net: mlp"),
        ({"fixed.a": 3}, "fixed.a: is fixed at [1, 2] and not searched; leave it out"),
        ({"drop": "own"}, "lacks drop[own]; valid: a value for each searched parameter"),
        ({"net.norm": ..., "lr": ...}, "lacks lr, net.norm; valid: a value for each searched parameter"),
    ],
)
def test_a_point_outside_the_space_is_refused(space, change, line):
    given = {key: value for key, value in {**GOOD, **change}.items() if value is not ...}
    with pytest.raises(InputError) as error:
        space.fixed(given, "x.yaml: known_good[1]")
    assert str(error.value).startswith(f"x.yaml: known_good[1]: {line}")


@pytest.mark.parametrize(
    ("distribution", "inside", "outside"),
    [
        (Range(0.0, 1.0), [0, 1, 0.5], [-0.1, 1.1, "0.5", None, True, float("nan")]),
        (Range(1e-3, 1.0, log=True), [1e-3, 1], [0, 2, "1"]),
        (Range(1, 3, whole=True), [1, 3], [0, 4, 2.0, True, "2"]),
        (Range(1, 8, log=True, whole=True), [1, 8], [0, 9, 2.0]),
        (Steps(2, 8, 3), [2, 5, 8], [3, 11, -1, 5.0, True]),
        (Steps(0.1, 0.7, 0.1), [0.1, 0.1 + 2 * 0.1, 0.7], [0.15, 0.8, 0, "0.1", float("nan")]),
        (Choice(("a", None, 1, False)), ["a", None, 1, 1.0, False], ["b", True, 0, "1", float("nan")]),
    ],
)
def test_contains(distribution, inside, outside):
    assert all(map(distribution.contains, inside))
    assert all(map(distribution.contains, distribution.ends))
    assert not any(map(distribution.contains, outside))


@pytest.mark.parametrize(
    ("tree", "line"),
    [
        ({"uniform": [1, 1]}, "found uniform: [1, 1]; valid: a low end less than the high end"),
        ({"log": [2, 1]}, "found log: [2, 1]; valid: a low end less than the high end"),
        ({"log": [0, 1]}, "found log: [0, 1]; valid: a low end above 0, for its logarithm"),
        ({"log_int": [0, 8]}, "found log_int: [0, 8]; valid: a low end of 1 or more, for its logarithm"),
        ({"int": [1, 2.5]}, "found 2.5 in int: [1, 2.5]; valid: integers"),
        ({"int": [False, 2]}, "found false in int: [false, 2]; valid: integers"),
        ({"uniform": ["a", 1]}, "found a in uniform: [a, 1]; valid: finite numbers"),
        ({"uniform": [0, float("inf")]}, "found inf in uniform: [0, inf]; valid: finite numbers"),
        ({"uniform": 3}, "found uniform: 3; valid: uniform: [low, high]"),
        ({"uniform": [1, 2, 3]}, "found uniform: [1, 2, 3]; valid: uniform: [low, high]"),
        ({"steps": [1, 2]}, "found steps: [1, 2]; valid: steps: [low, high, step]"),
        ({"steps": [1, 8, 0]}, "found steps: [1, 8, 0]; valid: a step above 0"),
        ({"steps": [1, 8, 3]}, "found steps: [1, 8, 3], which do not end at 8; valid: a high end of 7 or 10"),
        ({"steps": [1, 2, 3]}, "found steps: [1, 2, 3], which do not end at 2; valid: a high end of 4"),
        ({"choice": []}, "found an empty choice; valid: at least one option"),
        ({"choice": {}}, "found an empty choice; valid: at least one option"),
        ({"choice": None}, "found an empty choice; valid: at least one option"),
        ({"choice": [1, 1.0]}, "found 1 twice in choice: [1, 1]; valid: each option once"),
        ({"choice": "a"}, "found choice: a; valid: [a, b, ...] or {label: {...}, ...}"),
        ({"choice": [{"a": 1}]}, "found {a: 1} as an option; valid: plain values, or a mapping {label: {...}, ...}"),
        ({"choice": {"a.b": 1}}, 'found the label "a.b"; valid: letters, digits, _, + and -'),
    ],
)
def test_a_distribution_that_cannot_be_is_refused(tree, line):
    with pytest.raises(InputError) as error:
        Space.parse({"net": {"choice": {"mlp": {"depth": tree}}}}, "x.yaml")
    assert str(error.value).startswith(f"x.yaml: net.depth: {line}")
