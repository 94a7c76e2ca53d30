"""From a preset or a file to a sweep: overrides, known-good points, and the tree that rebuilds it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline
from pipeline.errors import InputError
from pipeline.schema.health import DEFAULT_RULES
from pipeline.space import yaml
from pipeline.space.load import from_tree, load, load_trial, presets

SPACE = """
about: a small one
data: {name: digits}
objective: fid
budget: {images: 300000}
evaluation: {every: 15000}
search: {trials: 16}
generator: {network: dcgan, width: {choice: [16, 32]}, norm: {choice: [batch, none]}}
discriminator: {network: dcgan, width: 32, norm: none}
regularisers:
  choice:
    none: {}
    r1: {r1: {weight: {log: [0.1, 100]}, interval: {choice: [1, 4]}}}
    lazy: {r1: {weight: 3, interval: 16}}
optimiser: {lr_g: {log: [1e-5, 1e-2]}}
known_good:
  - {generator.width: 32, generator.norm: batch, regularisers: r1, regularisers.r1.weight: 10,
     regularisers.r1.interval: 1, optimiser.lr_g: 2e-4}
  - {generator.width: 32, generator.norm: none, regularisers: none, optimiser.lr_g: 1e-3}
"""
TRIAL = """
data: {name: ring8}
budget: {images: 3000}
evaluation: {every: 1000}
generator: {network: mlp}
discriminator: {network: mlp}
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    (tmp_path / "small.yaml").write_text(SPACE)
    return str(tmp_path / "small.yaml")


def test_a_file(path):
    file = load(path)
    assert (file.name, file.about, file.source, file.notices) == ("small", "a small one", path, ())
    assert (file.sweep.objective, file.sweep.search.trials) == ("fid", 16)
    assert [p.key for p in file.space.parameters()] == [
        "generator.width",
        "generator.norm",
        "regularisers",
        "regularisers.r1.weight",
        "regularisers.r1.interval",
        "optimiser.lr_g",
    ]
    assert file.known_good[0]["regularisers[r1].r1.weight"] == 10.0
    assert file.known_good[1] == {
        "generator.width": 32,
        "generator.norm": "none",
        "regularisers": "none",
        "optimiser.lr_g": 1e-3,
    }


@pytest.mark.parametrize("overrides", [(), ("search.seed=3", "health.flat_output=null", "optimiser.lr_d=1e-3")])
def test_the_tree_rebuilds_the_sweep(path, overrides, tmp_path):
    file = load(path, overrides, trials=5)
    assert from_tree(json.loads(json.dumps(file.tree)), path) == file
    assert file.sweep.search.trials == 5
    (tmp_path / "again.yaml").write_text(yaml.dump(file.tree))
    again = load(str(tmp_path / "again.yaml"))
    assert (again.sweep, again.space.tree, again.known_good) == (file.sweep, file.space.tree, file.known_good)


def test_a_default_rule_that_was_turned_off_stays_off(path):
    file = load(path, ["health.flat_output=null"])
    assert set(DEFAULT_RULES) - set(file.sweep.health) == {"flat_output"}
    assert from_tree(file.tree, path).sweep == file.sweep


def test_every_preset_is_read_and_starts_with_a_known_good_point():
    assert {"digits", "fashion_mnist", "ring8", "grid25"} <= set(presets())
    for name in presets():
        file = load(name)
        assert file.name == name
        assert file.about
        assert file.known_good
        assert from_tree(file.tree, file.source) == file


def test_reading_a_space_imports_no_framework():
    code = """
import sys
from pipeline.space.load import load
load("digits")
print(*{"torch", "ray", "optuna", "mlflow"} & set(sys.modules))
"""
    root = Path(pipeline.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def at(tree: dict, *keys: str):
    for key in keys:
        tree = tree[key]
    return tree


@pytest.mark.parametrize(
    ("setting", "keys", "value"),
    [
        ("optimiser.lr_g=2e-4", ("optimiser", "lr_g"), 2e-4),
        ("optimiser.lr_d={log: [1e-5, 1e-3]}", ("optimiser", "lr_d"), {"log": [1e-5, 1e-3]}),
        ("latent.size=16", ("latent", "size"), 16),
        ("generator={network: mlp}", ("generator",), {"network": "mlp"}),
        ("regularisers=lazy", ("regularisers",), {"r1": {"weight": 3, "interval": 16}}),
        ("regularisers.r1.weight=5", ("regularisers", "choice", "r1", "r1", "weight"), 5),
        ("regularisers.r1.weight=5", ("regularisers", "choice", "lazy", "r1", "weight"), 5),
        ("regularisers.r1.weight=5", ("regularisers", "choice", "none"), {}),
        ("regularisers[r1].r1.weight=5", ("regularisers", "choice", "r1", "r1", "weight"), 5),
        ("regularisers[r1].r1.weight=5", ("regularisers", "choice", "lazy", "r1", "weight"), 3),
        ("regularisers[none]={r1: {weight: 1}}", ("regularisers", "choice", "none"), {"r1": {"weight": 1}}),
        ("regularisers[none].wgan_gp.weight=2", ("regularisers", "choice", "none"), {"wgan_gp": {"weight": 2}}),
    ],
)
def test_an_override_is_set_where_its_key_says(path, setting, keys, value):
    assert at(load(path, [setting]).tree, *keys) == value


def test_overrides_inside_nested_choices(tmp_path):
    nested = SPACE.split("known_good")[0].replace(
        "    lazy: {r1: {weight: 3, interval: 16}}\n",
        "    more: {choice: {light: {r1: {weight: 0.1}}, heavy: {r1: {weight: 10}, wgan_gp: {weight: 1}}}}\n",
    )
    (tmp_path / "nested.yaml").write_text(nested)
    path = str(tmp_path / "nested.yaml")
    more = at(load(path, ["regularisers.r1.weight=7"]).tree, "regularisers", "choice", "more", "choice")
    assert (more["light"]["r1"]["weight"], more["heavy"]["r1"]["weight"]) == (7, 7)
    one = at(load(path, ["regularisers[more][heavy].r1.weight=7"]).tree, "regularisers", "choice", "more", "choice")
    assert (one["light"]["r1"]["weight"], one["heavy"]["r1"]["weight"]) == (0.1, 7)
    # a key that no option has yet goes to those that have the mapping it belongs to
    new = at(load(path, ["regularisers.wgan_gp.interval=2"]).tree, "regularisers", "choice", "more", "choice")
    assert "wgan_gp" not in new["light"]
    assert new["heavy"]["wgan_gp"] == {"weight": 1, "interval": 2}


def test_a_known_good_value_that_is_set_is_left_out_and_said(path):
    file = load(path, ["generator.norm=none", "regularisers.r1.weight=5"])
    assert [point.get("regularisers[r1].r1.interval") for point in file.known_good] == [1, None]
    assert not any("generator.norm" in point or "regularisers[r1].r1.weight" in point for point in file.known_good)
    assert file.notices == (
        f"{path}: known_good[0]: leaves out what is set: generator.norm, regularisers.r1.weight",
        f"{path}: known_good[1]: leaves out what is set: generator.norm",
    )


def test_a_known_good_point_outside_a_changed_range_is_not_tried_and_said(path):
    file = load(path, ["optimiser.lr_g={log: [5e-4, 1e-2]}"])
    assert [point["generator.norm"] for point in file.known_good] == ["none"]
    line = "optimiser.lr_g: found 0.0002; valid: 0.0005 to 0.01 (log); this point is not tried"
    assert file.notices == (f"{path}: known_good[0]: {line}",)


def test_an_override_does_not_excuse_a_known_good_point_that_was_wrong(path):
    Path(path).write_text(SPACE.replace("optimiser.lr_g: 1e-3}", "optimiser.lrg: 1e-3}"))
    with pytest.raises(
        InputError, match=r'known_good\[1\]: unknown key "optimiser.lrg", did you mean "optimiser.lr_g"'
    ):
        load(path, ["generator.norm=none"])


def test_points_that_an_override_made_equal_are_tried_once(path):
    Path(path).write_text(
        SPACE + "  - {generator.width: 16, generator.norm: none, regularisers: none, optimiser.lr_g: 1e-3}\n"
    )
    assert len(load(path).known_good) == 3
    assert len(load(path, ["generator.width=32"]).known_good) == 2


def test_a_batch_normed_discriminator_under_a_gradient_penalty_is_said(path):
    (notice,) = load(path, ["discriminator.norm=batch"]).notices
    assert notice.startswith(f"{path}: discriminator.norm: batch under a gradient penalty (r1): ")
    assert load(path, ["discriminator.norm=batch", "regularisers={}", "known_good=[]"]).notices == ()


def test_what_a_game_of_ones_own_may_not_read_is_said(tmp_path):
    given = "game: {name: 'my.py:Game', packing: 2}\nregularisers: {r1: {}, gradient_clipping: {}}\n"
    (tmp_path / "own.yaml").write_text(TRIAL + given + "objective: modes\noptimiser: {lr_g: {log: [1e-4, 1e-3]}}\n")
    (notice,) = load(str(tmp_path / "own.yaml")).notices
    assert "game.packing, regularisers.r1: with a game of your own it does what that game makes of it" in notice


def test_one_configuration_from_a_plain_file(tmp_path):
    (tmp_path / "one.yaml").write_text(TRIAL)
    path = str(tmp_path / "one.yaml")
    trial, sweep, notices = load_trial(path)
    assert (trial.data.name, sweep.objective) == ("ring8", "sliced_wasserstein")
    assert notices == (f"{path}: objective: not given, taken as sliced_wasserstein",)
    (tmp_path / "one.yaml").write_text(TRIAL + "objective: modes\n")
    _, sweep, notices = load_trial(path)
    assert (sweep.objective, notices) == ("modes", ())


def test_one_configuration_from_a_space_is_its_first_known_good_one(path):
    trial, _, notices = load_trial(path)
    assert (trial.generator.width, trial.regularisers.r1.weight) == (32, 10.0)
    assert notices == (f"{path}: is a space; training its first known_good configuration",)
    assert load_trial("digits")[0].data.name == "digits"


@pytest.mark.parametrize(
    ("space", "settings", "line"),
    [
        (
            "digits",
            ["regularisers.r1.weight=5"],
            "--set regularisers.r1.weight=5: is under regularisers: r1, and what is trained has none; "
            "valid: --set regularisers=r1 before it",
        ),
        (
            "broad",
            ["game[relativistic].objective=relativistic_average"],
            "--set game[relativistic].objective=relativistic_average: is under game: relativistic, and what is tr",
        ),
        (
            "broad",
            ["game.with.regularisers.lecam.weight=1", "optimiser.lr_g=1e-3"],
            "--set game.with.regularisers.lecam.weight=1: is under game.with.regularisers: lecam, and what is trai",
        ),
        (
            "digits",
            ["regularisers=r1"],
            "preset digits: known_good[0]: lacks regularisers.r1.weight, regularisers.r1.interval; valid: a value for "
            "each searched parameter, with --set",
        ),
    ],
)
def test_a_setting_of_what_is_not_trained_is_refused(space, settings, line):
    with pytest.raises(InputError) as error:
        load_trial(space, settings)
    assert str(error.value).startswith(line)


def test_settings_of_what_is_trained_are_taken():
    settings = ["regularisers=r1", "regularisers.r1.weight=5", "regularisers.r1.interval=1", "generator.depth=null"]
    assert load_trial("digits", settings)[0].regularisers.r1.weight == 5
    assert load_trial("digits", ["regularisers={r2: {weight: 3}}"])[0].regularisers.r2.weight == 3
    assert load_trial("broad", ["game[classic].objective=hinge"])[0].game.objective == "hinge"


def test_a_space_without_known_good_is_no_configuration(path):
    Path(path).write_text(SPACE.split("known_good")[0])
    with pytest.raises(
        InputError, match=r"searches generator.width, .* and has no known_good; valid: one value for each"
    ):
        load_trial(path)
