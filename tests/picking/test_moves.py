"""One parameter moved: numbers, decays, integers, choices, and what is said where one cannot be."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.picking.moves import Move, moved, moves
from tests.drivers.fake_tune import TREE, FakeTune, sweep_file

RANDOM = {"trials": 12, "startup": 12, "seed": 5, "sampler": "random"}
REGULARISERS = {"choice": {"none": {}, "r1": {"r1": {"weight": {"log": [0.1, 10]}}}}}
TREE_OF_ALL: dict[str, Any] = {
    "rungs": {"enabled": False},
    "search": RANDOM,
    "regularisers": REGULARISERS,
    "generator": {"network": "dcgan", "width": {"choice": [16, 32, 48]}},
    "batch_size": {"int": [2, 64]},
}


@pytest.mark.parametrize(
    ("key", "value", "factor", "ends"),
    [
        ("optimiser.lr_d", 0.003, 1.5, [0.002, 0.0045]),
        ("optimiser.lr_ratio", 4.0, 2.0, [2.0, 8.0]),
        ("optimiser.beta1", 0.5, 2.0, [0.0, 0.75]),
        ("optimiser.beta2", 0.99, 10.0, [0.9, 0.999]),
        ("regularisers.lecam.decay", 0.9, 2.0, [0.8, 0.95]),
        ("optimiser.discriminator_steps", 5, 1.5, [3, 8]),
        ("augmentation.ada.target", -0.5, 2.0, [-1.0, -0.25]),
    ],
)
def test_numbers_are_moved_down_and_up(key: str, value: float, factor: float, ends: list[float]) -> None:
    assert [end for end, _ in moved(key, value, factor)] == pytest.approx(ends)
    assert all(why is None for _, why in moved(key, value, factor))


def test_what_no_factor_moves_is_said() -> None:
    assert list(moved("optimiser.weight_decay", 0.0, 1.5)) == [(None, "it is 0, which no factor moves")]
    down, up = moved("optimiser.discriminator_steps", 1, 1.5)
    assert down == (None, "0.666666666667 rounds to 1 again")
    assert up == (2, None)
    assert [why for _, why in moved("depth", 9, 1.01)] == ["8.91089108911 rounds to 9 again", "9.09 rounds to 9 again"]


def found(folder: Path, factor: float, choices: bool, trial: int = 0, **changes: Any) -> list[Move]:
    known = {**TREE["known_good"][0], "batch_size": 2, "generator.width": 32}
    file = sweep_file(**(TREE_OF_ALL | {"known_good": [known | {"regularisers": "none"}]} | changes))
    state = FakeTune(folder, file).go()
    return moves(state, file.space, trial, factor, choices)


def test_each_searched_number_is_moved_beyond_its_range_but_not_beyond_the_spec(tmp_path: Path) -> None:
    by_name: dict[str, list[Move]] = {}
    for move in found(tmp_path, 3.0, choices=False):
        by_name.setdefault(move.parameter.name, []).append(move)
    assert list(by_name) == ["optimiser.lr_g", "optimiser.beta1", "batch_size"]
    rates = [move.spec.optimiser.lr_g for move in by_name["optimiser.lr_g"] if move.spec]
    assert rates == pytest.approx([2e-4 / 3, 6e-4])
    down, up = by_name["optimiser.beta1"]
    assert down.spec is None
    assert down.why == "not allowed: found -0.5; valid: greater than or equal to 0"
    assert up.spec is not None
    assert up.spec.optimiser.beta1 == pytest.approx(1 - 0.5 / 3)
    smaller, larger = by_name["batch_size"]
    assert smaller.why == "not allowed: found 1; valid: greater than or equal to 2"
    assert larger.value == 6
    was = {
        "optimiser.lr_g": 2e-4,
        "optimiser.beta1": 0.5,
        "batch_size": 2,
        "generator.width": 32,
        "regularisers": "none",
    }
    for move in (*by_name["optimiser.lr_g"], up, larger):
        assert move.point == {**was, move.parameter.name: move.value}


def test_choices_are_moved_when_asked_with_what_the_best_trial_had_under_them(tmp_path: Path) -> None:
    by_value = {(move.parameter.key, move.value): move for move in found(tmp_path, 1.5, choices=True) if move.value}
    assert {value for key, value in by_value if key == "generator.width"} == {16, 48}
    branch = by_value["regularisers", "r1"]
    assert branch.spec is not None
    assert branch.spec.regularisers.r1 is not None
    assert branch.point is not None
    assert branch.point["regularisers[r1].r1.weight"] == branch.spec.regularisers.r1.weight


def test_an_option_that_no_trial_had_is_said(tmp_path: Path) -> None:
    one = found(tmp_path, 1.5, choices=True, search={**RANDOM, "trials": 1})
    move = next(each for each in one if each.parameter.name == "regularisers")
    assert move.why == "r1 needs regularisers[r1].r1.weight, and no trial had a value for it"
