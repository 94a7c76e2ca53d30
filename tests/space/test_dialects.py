"""YAML as people write it, and spaces as other programs have them: what is taken, and the line to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError
from pipeline.space import yaml
from pipeline.space.load import load

BASE = """
data: {name: digits}
objective: fid
budget: {images: 30000}
evaluation: {every: 10000}
generator: {network: dcgan, width: 16}
discriminator: {network: dcgan, width: 16}
"""


def space(folder: Path, text: str) -> Any:
    (folder / "mine.yaml").write_text(BASE + text)
    return load(str(folder / "mine.yaml"))


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("{min: 1.0e-5, max: 1.0e-2, distribution: log_uniform_values}", "{log: [1e-05, 0.01]}"),
        ("{distribution: uniform, min: 0.0001, max: 0.001}", "{uniform: [0.0001, 0.001]}"),
        ("{values: [1e-4, 2e-4]}", "{choice: [0.0001, 0.0002]}"),
        ("{value: 2e-4}", "0.0002"),
        ("{min: 0.001, max: 0.01, q: 0.001, distribution: q_uniform}", "{steps: [0.001, 0.01, 0.001]}"),
        ("{_type: loguniform, _value: [1e-5, 1e-2]}", "{log: [1e-05, 0.01]}"),
        ("{_type: choice, _value: [1e-4, 1e-3]}", "{choice: [0.0001, 0.001]}"),
        ("{_type: quniform, _value: [0.1, 0.5, 0.1]}", "{steps: [0.1, 0.5, 0.1]}"),
        ('{parameterType: double, feasibleSpace: {min: "0.01", max: "0.1"}}', "{uniform: [0.01, 0.1]}"),
        (
            '{name: lr, parameterType: double, feasibleSpace: {min: "1e-5", max: "0.1", distribution: logUniform}}',
            "{log: [1e-05, 0.1]}",
        ),
        ('{parameterType: discrete, feasibleSpace: {list: ["0.1", "0.2"]}}', "{choice: [0.1, 0.2]}"),
        ("{low: 1e-5, high: 1e-2, log: true}", "{log: [1e-05, 0.01]}"),
        ("{type: range, bounds: [1e-5, 1e-2], log_scale: true}", "{log: [1e-05, 0.01]}"),
        ('"tune.loguniform(1e-4, 1e-1)"', "{log: [0.0001, 0.1]}"),
        ('"tune.choice([0.1, 0.2])"', "{choice: [0.1, 0.2]}"),
        ("\"trial.suggest_float('lr', 1e-5, 1e-2, log=True)\"", "{log: [1e-05, 0.01]}"),
        ("\"hp.loguniform('lr', -9, -2)\"", "{log: [0.000123, 0.135]}"),
        ('"choice(0.1, 0.2)"', "{choice: [0.1, 0.2]}"),
    ],
)
def test_what_another_program_writes_gets_the_line_to_write(written: str, instead: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mine\.yaml: optimiser\.lr_g: found ") as error:
        space(tmp_path, f"optimiser: {{lr_g: {written}}}\n")
    assert str(error.value).endswith(f"; valid here: lr_g: {instead}")
    assert space(tmp_path, f"optimiser: {{lr_g: {instead}}}\n")  # it can be copied as it is


@pytest.mark.parametrize(
    "written",
    ["{min: 8, max: 64}", "{distribution: int_uniform, min: 8, max: 64}", "{_type: randint, _value: [8, 65]}"],
)
def test_whole_numbers_stay_whole(written: str, tmp_path: Path) -> None:
    text = BASE.replace("generator: {network: dcgan, width: 16}", f"generator: {{network: dcgan, width: {written}}}")
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(InputError, match=r"valid here: width: \{int: \[8, 64\]\}"):
        load(str(tmp_path / "mine.yaml"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("method: bayes\nmetric: {name: fid}\nparameters: {lr: {min: 1, max: 2}}\n", "a W&B or Katib sweep"),
        ("searchSpace: {lr: {_type: uniform, _value: [0, 1]}}\ntrialCommand: x\n", "an NNI experiment"),
        ("apiVersion: kubeflow.org/v1beta1\nkind: Experiment\nspec: {}\n", "a Kubernetes resource"),
        ("hydra: {sweeper: {params: {}}}\n", "a Hydra configuration"),
    ],
)
def test_a_whole_file_of_another_program_is_said(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(text)
    with pytest.raises(InputError, match=f"is {said}.*; valid: a space of gansweep") as error:
        load(str(tmp_path / "sweep.yaml"))
    assert "\n" not in str(error.value)


def test_the_hyperparameters_of_ones_own_may_have_any_name(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("class Game: ...\n")
    text = f"game: {{name: '{tmp_path}/mine.py:Game', options: {{min: 0.0, max: 1.0, low: {{log: [0.1, 1]}}}}}}\n"
    found = space(tmp_path, text)
    assert found.tree["game"]["options"] == {"min": 0.0, "max": 1.0, "low": {"log": [0.1, 1]}}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}", {"p": 1, "q": 3}),
        ("a: &x {p: 1}\nb: {q: 3, <<: *x}", {"p": 1, "q": 3}),
        ("a: [&x {p: 1}, &y {p: 2, r: 4}]\nb: {<<: [*x, *y]}", {"p": 1, "r": 4}),
        ("a: &x {p: &z {q: 1}}\nb: {<<: *x, s: {<<: *z}}", {"p": {"q": 1}, "s": {"q": 1}}),
        ("a: &x {<<: {p: 1}, q: 2}\nb: {<<: *x}", {"p": 1, "q": 2}),
        ('b: {"<<": 1}', {"<<": 1}),
    ],
)
def test_merge_keys(text: str, found: dict[str, Any]) -> None:
    assert yaml.parse(text, "x")["b"] == found


@pytest.mark.parametrize("text", ["b: {<<: 1}", "b: {<<: [1, 2]}", "b: {<<: text}", "a: &x [1]\nb: {<<: *x}"])
def test_a_merge_key_that_brings_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"x: line \d: found << with something else; valid: mappings"):
        yaml.parse(text, "x")


def test_merging_is_bounded_as_aliases_are() -> None:
    lines = ["a0: &a0 {" + ", ".join(f"k{n}: 1" for n in range(9)) + "}"]
    lines += [f"a{n}: &a{n} {{" + ", ".join(f"k{m}: {{<<: *a{n - 1}}}" for m in range(9)) + "}" for n in range(1, 9)]
    with pytest.raises(InputError, match="holds more than 50000 values"):
        yaml.parse("\n".join(lines), "x")


@pytest.mark.parametrize(
    ("written", "images"),
    [("3e4", 30_000), ("3E+4", 30_000), ("30_000", 30_000), ("3.5e4", 35_000), ("1e6", 1_000_000)],
)
def test_a_whole_number_may_have_an_exponent(written: str, images: int, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(BASE.replace("images: 30000", f"images: {written}"))
    assert load(str(tmp_path / "mine.yaml")).tree["budget"]["images"] == images
    assert load(str(tmp_path / "mine.yaml"), ["search.trials=1e2"]).sweep.search.trials == 100


@pytest.mark.parametrize("written", ["2.5", "3.5e0", "30000.5"])
def test_a_number_that_is_not_whole_is_refused_where_one_must_be(written: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(BASE.replace("images: 30000", f"images: {written}"))
    with pytest.raises(InputError, match=r"budget\.images: found .*; valid: an integer"):
        load(str(tmp_path / "mine.yaml"))


@pytest.mark.parametrize(
    "written",
    [
        "{parameterType: double, feasibleSpace: {list: 5}}",
        "\"hp.loguniform('lr', 0, 1000)\"",
        '"tune.choice({[]: 1})"',
        "{low: -1, high: 2, log: true}",
        '"tune.choice([])"',
    ],
)
def test_what_no_line_can_stand_for_is_refused_in_one_line(written: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mine\.yaml: optimiser\.lr_g: ") as error:
        space(tmp_path, f"optimiser: {{lr_g: {written}}}\n")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "written", ["{min: -9, max: -2, distribution: log_uniform}", "\"hp.qloguniform('lr', -9, -2, 1)\""]
)
def test_ends_given_as_logarithms_are_brought_back(written: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"valid here: lr_g: \{log: \[0\.000123, 0\.135\]\}"):
        space(tmp_path, f"optimiser: {{lr_g: {written}}}\n")
