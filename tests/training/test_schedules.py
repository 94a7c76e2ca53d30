"""Numbers that move over the budget: exact at their known points, as each step uses them, to the bit on resume."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pipeline.errors import InputError
from pipeline.games.augment import ada, diffaugment
from pipeline.games.regularisers import scalars_of
from pipeline.schema.base import flatten, parse, scalar_keys
from pipeline.schema.optimiser import OPTIMISERS, EmaSpec, OptimiserSpec
from pipeline.schema.parts import AugmentationSpec, DiffAugmentSpec, R1Spec, RegularisersSpec
from pipeline.schema.schedule import ScheduleSpec, value_at
from pipeline.schema.trial import TrialSpec
from pipeline.space.tree import Space
from pipeline.training.state import TrainingState, initial
from pipeline.training.step import step
from tests.training.toy import BATCH, evaluator, facts, last_state, run, same, spec

MOVING: dict[str, Any] = {
    "optimiser": {"lr_g": 1e-3, "beta2": {"start": 0.9, "end": 0.99}, "beta2_d": {"start": 0.8, "end": 0.999}},
    "regularisers": {
        "r1": {"weight": {"start": 0.5, "ratio": 0.1, "hold": 0.25}},
        "lecam": {"weight": {"start": 0.0, "end": 0.3, "schedule": "linear"}, "start": 3},
    },
    "ema": {"half_life": {"start": 0.0, "end": 1000.0}, "ramp": None},
}


def start(**changes: Any) -> TrainingState:
    return initial(spec(**changes), evaluator().dataset, 1)


def advance(state: TrainingState) -> dict[str, Tensor]:
    return step(state, state.batches.next(state.randomness), state.randomness)


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ({"end": 2.0, "schedule": "linear"}, {0.0: 10.0, 0.25: 8.0, 0.5: 6.0, 1.0: 2.0, 1.1: 2.0}),
        ({"end": 2.0}, {0.0: 10.0, 1 / 3: 8.0, 0.5: 6.0, 2 / 3: 4.0, 1.0: 2.0}),
        ({"ratio": 0.1, "schedule": "linear", "hold": 0.5}, {0.0: 10.0, 0.3: 10.0, 0.5: 10.0, 0.75: 5.5, 1.0: 1.0}),
        ({"end": 30.0, "hold": 0.2}, {0.0: 10.0, 0.2: 10.0, 0.6: 20.0, 1.0: 30.0}),
        ({"end": 0.0}, {0.0: 10.0, 0.5: 5.0, 1.0: 0.0}),
    ],
)
def test_a_schedule_at_its_known_points(given: dict[str, Any], known: dict[float, float]) -> None:
    found = ScheduleSpec(start=10.0, **given)
    for share, value in known.items():
        exact = share in (0.0, 1.0)  # at the ends to the bit
        assert found.at(share) == (value if exact else pytest.approx(value))


def test_the_rates_move_by_the_same_schedule() -> None:
    for kind in ("linear", "cosine"):
        rates = OptimiserSpec(schedule=kind, final_rate=0.25, hold=0.3)
        other = ScheduleSpec(start=1.0, ratio=0.25, schedule=kind, hold=0.3)
        assert [rates.factor(n / 16) for n in range(17)] == [other.at(n / 16) for n in range(17)]


@pytest.mark.parametrize("name", OPTIMISERS)
def test_beta2_of_both_sides_at_every_step(name: str) -> None:
    state = start(optimiser={"name": name, **MOVING["optimiser"]})
    total, steps = state.spec.budget.images, state.spec.budget.images // BATCH
    found = []
    while state.images < total:
        advance(state)
        groups = [optimiser.param_groups[0] for optimiser in (state.optimiser_g, state.optimiser_d)]
        found.append([group["alpha"] if name == "rmsprop" else group["betas"][1] for group in groups])
        assert {group["lr"] for group in groups} == {1e-3}
    assert found[0] == [0.9, 0.8]
    for number, betas in enumerate(found):
        wave = (1 - math.cos(math.pi * number / steps)) / 2
        assert betas == pytest.approx([0.9 + 0.09 * wave, 0.8 + 0.199 * wave])


def test_a_weight_is_what_the_schedule_says_at_that_step() -> None:
    """R1's share of the loss beside that of a fixed weight, on the same weights and samples."""
    moving, fixed = (
        start(regularisers={"r1": {"weight": weight}}, optimiser={"lr_g": 1e-12})
        for weight in ({"start": 2.0, "end": 0.5, "schedule": "linear"}, 2.0)
    )
    for state in (moving, fixed):
        state.images = state.spec.budget.images // 2
        advance(state)
    found, full = (state.window_d.means()["loss_d.r1"] for state in (moving, fixed))
    assert found == pytest.approx(full * 1.25 / 2.0, rel=1e-5)


def test_every_weight_of_the_regularisers_can_move() -> None:
    moving = {"start": 2.0, "end": 1.0}
    for name, field in RegularisersSpec.model_fields.items():
        if name == "own":
            continue
        (part,) = (each for each in field.annotation.__args__ if each is not type(None))
        for key in (key for key in part.model_fields if key.startswith("weight") and name != "weight_clipping"):
            made = RegularisersSpec.model_validate({name: {key: moving}})
            assert value_at(getattr(getattr(made, name), key), 1.0) == 1.0
    assert float(scalars_of(R1Spec(weight=ScheduleSpec(start=2.0, end=1.0)), 1.0)["weight"]) == 1.0


def test_the_averages_half_life_moves() -> None:
    state = start(optimiser={"lr_g": 1e-2}, ema=MOVING["ema"])
    steps = state.spec.budget.images // BATCH
    expected = [weight.clone() for weight in state.ema.parameters()]
    for number in range(6):
        advance(state)
        half_life = 1000.0 * (1 - math.cos(math.pi * number / steps)) / 2
        kept = 0.5 ** (BATCH / half_life) if half_life else 0.0
        new = state.game.generator.parameters()
        expected = [kept * old + (1 - kept) * weight for old, weight in zip(expected, new, strict=True)]
        for found, value in zip(state.ema.parameters(), expected, strict=True):
            torch.testing.assert_close(found.data, value.data)


def test_augmentation_comes_with_its_probability() -> None:
    x = torch.rand(2000, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    part = DiffAugmentSpec.model_validate(
        {"colour": False, "cutout": False, "translation": False, "flip": False}
        | {"cutout": True, "probability": {"start": 0.0, "end": 0.5, "schedule": "linear"}}
    )

    def moved(share: float) -> float:
        found = diffaugment(x, part, torch.Generator().manual_seed(1), share)
        return float((found != x).flatten(1).any(1).float().mean())

    assert moved(0.0) == 0.0
    assert moved(0.5) == pytest.approx(0.25, abs=0.03)
    assert moved(1.0) == pytest.approx(0.5, abs=0.04)


def test_adas_probability_is_fixed_or_moves_where_it_is_given() -> None:
    image = {
        "data": {"name": "digits"},
        "generator": {"network": "dcgan", "width": 4, "depth": 2},
        "discriminator": {"network": "dcgan", "width": 4, "depth": 2, "norm": "none"},
        "regularisers": {},
    }
    given = {"ada": {"probability": {"start": 0.0, "end": 1.0, "schedule": "linear"}}}
    pixels = torch.randint(0, 256, (100, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    dataset = type(evaluator().dataset)(
        **{**vars(evaluator().dataset), "kind": "image", "train": pixels, "channels": 1, "resolution": 8}
    )
    seen: list[float] = []
    original = ada

    def noting(x: Tensor, p: Tensor, *rest: Any) -> Tensor:
        seen.append(float(p))
        return original(x, p, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.games.augment.ada", noting)
        state = initial(spec(**image, augmentation=given), dataset, 1)
        assert "ada" not in state.auxiliary["discriminator"]
        advance(state)
        state.images = state.spec.budget.images // 4
        advance(state)
    assert sorted(set(seen)) == [0.0, 0.25]


@pytest.mark.parametrize("cut", [1, 3])
def test_a_training_whose_numbers_move_goes_on_to_the_bit(cut: int, tmp_path: Path) -> None:
    whole = [facts(measurement) for measurement in run(tmp_path / "whole", **MOVING)]
    first = run(tmp_path / "cut", **MOVING)
    seen = [facts(next(first)) for _ in range(cut)]
    del first
    assert seen[:-1] + [facts(each) for each in run(tmp_path / "cut", **MOVING)] == whole
    assert same(last_state(tmp_path / "cut"), last_state(tmp_path / "whole"))


def test_a_schedule_is_recorded_and_searched_number_by_number() -> None:
    found = flatten(spec(**MOVING).model_dump(mode="json"))
    assert found["optimiser.beta2.start"] == 0.9
    assert found["regularisers.r1.weight.ratio"] == 0.1
    assert TrialSpec.model_validate_json(spec(**MOVING).model_dump_json()) == spec(**MOVING)
    assert {"optimiser.beta2", "optimiser.beta2.end", "ema.half_life.start"} <= scalar_keys(TrialSpec)
    space = Space.parse(
        {"regularisers": {"r1": {"weight": {"start": {"log": [0.1, 1]}, "ratio": {"uniform": [0, 1]}}}}}, "x"
    )
    assert [each.key for each in space.parameters()] == [
        "regularisers.r1.weight.start",
        "regularisers.r1.weight.ratio",
    ]


@pytest.mark.parametrize(
    ("section", "tree", "line"),
    [
        (RegularisersSpec, {"r1": {"weight": {"start": 1.0}}}, "r1.weight: found neither end nor ratio; valid: one"),
        (
            RegularisersSpec,
            {"r1": {"weight": {"start": 1.0, "end": 1.0, "ratio": 1.0}}},
            "r1.weight: found end and ratio; valid: one of them",
        ),
        (RegularisersSpec, {"r1": {"weight": {"end": 1.0}}}, "r1.weight.start: missing; it must be given"),
        (RegularisersSpec, {"r1": {"weight": {"start": -1.0, "end": 1.0}}}, "r1.weight.start: found -1.0; valid: gre"),
        (RegularisersSpec, {"r1": {"weight": 0.0}}, "r1.weight: found 0.0; valid: greater than 0"),
        (RegularisersSpec, {"r1": {"weight": "much"}}, 'r1.weight: found "much"; valid: a number'),
        (
            RegularisersSpec,
            {"r1": {"weight": {"start": 1.0, "end": 2.0, "schedule": "exp"}}},
            'r1.weight.schedule: found "exp", ',
        ),
        (
            RegularisersSpec,
            {"r1": {"weight": {"start": 1.0, "end": 2.0, "hol": 0.1}}},
            'r1.weight.hol: unknown key "hol", did you mean "hold"?',
        ),
        (
            OptimiserSpec,
            {"beta2": {"start": 0.9, "end": 1.0}},
            "beta2.end: found 1.0; valid: less than 1",
        ),
        (OptimiserSpec, {"beta2": {"start": 0.9, "ratio": 1.1}}, "beta2.end: missing; it must be given"),
        (EmaSpec, {"half_life": {"start": 0.0, "end": 10.0, "hold": 1.0}}, "half_life.hold: found 1.0; valid: less"),
        (AugmentationSpec, {"diffaugment": {"probability": 1.5}}, "diffaugment.probability: found 1.5; valid: less"),
        (
            AugmentationSpec,
            {"ada": {"probability": 0.5, "target": 0.5}},
            "ada: found probability and target, which is of one that adapts; valid: one of them",
        ),
    ],
)
def test_what_is_no_schedule_is_said_in_one_line(section: Any, tree: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError) as error:
        parse(section, tree, "x")
    assert str(error.value).removeprefix("x: ").startswith(line)
    assert "\n" not in str(error.value)
