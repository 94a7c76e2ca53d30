"""Whether a discriminator knows its training samples by heart is seen, and to look changes nothing."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
import torch

from pipeline.data.dataset import Dataset, load
from pipeline.schema.base import parse
from pipeline.schema.trial import DataSpec, TrialSpec, resolve
from pipeline.training.overfitting import overfitting
from pipeline.training.state import TrainingState, initial
from pipeline.training.step import step
from tests.training.toy import same

SIGNAL = "discriminator_overfit"


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load(DataSpec(name="digits"), None, tmp_path_factory.mktemp("cache"))


def started(digits: Dataset, **changes: Any) -> TrainingState:
    tree: dict[str, Any] = {
        "data": {"name": "digits"},
        "budget": {"images": 1000},
        "evaluation": {"every": 1000},
        "generator": {"network": "dcgan", "width": 8},
        "discriminator": {"network": "dcgan", "width": 32, "norm": "none"},
        "optimiser": {"lr_g": 2e-3, "beta1": 0.5},
        "batch_size": 32,
    }
    return initial(resolve(parse(TrialSpec, tree | changes, "test"), cuda=False), digits, seed=1)


def trained(state: TrainingState, steps: int) -> TrainingState:
    for _ in range(steps):
        step(state, state.batches.next(state.randomness), state.randomness)
    return state


def test_it_rises_from_chance_where_samples_are_few_and_stays_there_where_they_are_not(digits: Dataset) -> None:
    few = started(digits, data={"name": "digits", "limit": 32})
    before = overfitting(few, digits, seed=1)[SIGNAL]
    after = overfitting(trained(few, 600), digits, seed=1)[SIGNAL]
    many = overfitting(trained(started(digits), 600), digits, seed=1)[SIGNAL]
    assert before == pytest.approx(0.5, abs=0.25)  # of 32 against 32
    assert after > 0.75
    assert many == pytest.approx(0.5, abs=0.1)  # of 256 against 256


@pytest.mark.parametrize(
    "changes",
    [
        {"generator": {"network": "dcgan", "norm": "batch"}, "discriminator": {"network": "dcgan", "norm": "batch"}},
        {"discriminator": {"network": "dcgan", "norm": "spectral", "dropout": 0.3}, "ema": {"half_life": 0.0}},
        {"game": {"objective": "relativistic", "packing": 2}, "augmentation": {"ada": {}}},
        {"game": {"condition": {"kind": "projection"}}, "regularisers": {"r1": {}, "instance_noise": {}}},
    ],
)
def test_to_look_changes_nothing_and_says_the_same_again(digits: Dataset, changes: dict[str, Any]) -> None:
    state = trained(started(digits, **changes), 3)
    before = copy.deepcopy(state.tensors())
    found = overfitting(state, digits, seed=1)
    assert 0 <= found[SIGNAL] <= 1
    assert overfitting(state, digits, seed=1) == found
    assert same(before, state.tensors())
    assert state.game.discriminator.training
    assert state.game.generator.training


def test_nan_is_said_as_nan(digits: Dataset) -> None:
    state = started(digits)
    with torch.no_grad():
        next(state.game.discriminator.parameters()).fill_(torch.nan)
    assert overfitting(state, digits, seed=1)[SIGNAL] != overfitting(state, digits, seed=1)[SIGNAL]


def test_a_validation_part_smaller_than_a_batch_says_nothing(digits: Dataset) -> None:
    small = dataclasses.replace(digits, validation=digits.validation[:20])
    assert overfitting(started(digits), small, seed=1) == {}
