"""Every preset at toy size: each point that it names as known-good, and drawn ones, trains and stays finite."""

from __future__ import annotations

import dataclasses
import random
import re
from typing import Any

import pytest
import torch

from pipeline.data.dataset import Dataset
from pipeline.schema.base import parse
from pipeline.schema.trial import TrialSpec, resolve
from pipeline.space.distributions import Choice
from pipeline.space.load import load, presets
from pipeline.space.tree import Parameter
from pipeline.training.state import initial
from pipeline.training.step import step
from tests.conformance.test_training import copied, data

STEPS, DRAWN = 2, 5
SHAPES = {"fashion_mnist": (1, 28), "mnist": (1, 28), "cifar10": (3, 32), "stacked_mnist": (3, 28)}


def toy(tree: dict[str, Any]) -> TrialSpec:
    """The same configuration with narrow networks and few images."""
    for side in ("generator", "discriminator"):
        tree[side] = tree[side] | {"width": 4}
    small = {"batch_size": 16, "budget": {"images": 16 * STEPS}, "evaluation": {"every": 16}}
    return resolve(parse(TrialSpec, tree | small, "toy"), cuda=False)


def dataset(name: str) -> Dataset:
    """The data set, or noise of its shape for those that are downloaded."""
    if name not in SHAPES:
        return data(name)
    channels, side = SHAPES[name]
    draw = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (64, channels, side, side), dtype=torch.uint8, generator=draw)
    labels = torch.arange(64) % 10
    return dataclasses.replace(
        data("digits"), name=name, train=images, train_labels=labels, channels=channels, resolution=side
    )


@pytest.mark.parametrize("name", presets())
def test_every_preset_trains_at_toy_size(name: str) -> None:
    file, draw = load(name), random.Random(name)

    def drawn(parameter: Parameter) -> Any:
        ends = parameter.distribution.ends
        return draw.choice(ends) if isinstance(parameter.distribution, Choice) else ends[draw.randrange(2)]

    trees = [file.space.fixed(point)[1] for point in file.known_good]
    trees += [file.space.realise(drawn)[1] for _ in range(DRAWN)]
    for number, tree in enumerate(trees):
        spec = toy(tree)
        state = initial(spec, dataset(spec.data.name), seed=number)
        before = copied(state.tensors())
        for _ in range(STEPS * spec.optimiser.discriminator_steps):
            measured = step(state, state.batches.next(state.randomness), state.randomness)
            good = all(bool(value.isfinite()) for value in measured.values())
            assert good or number >= len(file.known_good)  # the ends of published ranges may blow up: a find
        for side in ("generator", "discriminator"):
            after = state.tensors()[side]
            assert any(not torch.equal(value, after[key]) for key, value in before[side].items())


@pytest.mark.parametrize("name", presets())
def test_every_preset_says_where_its_numbers_come_from(name: str) -> None:
    text = presets()[name].read_text()
    assert "\n# " in text or "\n  # " in text
    assert re.search(r"et al\. 20\d\d", text)
    found = load(name).notices
    assert not [notice for notice in found for known in ("lazily", "lecam.start", "ada.images") if known in notice]


def test_the_presets_for_the_published_searches_are_there() -> None:
    published = {"lucic_wide", "lucic_narrow", "kurach", "dcgan", "wgan", "wgan_gp", "r3gan"}
    assert (
        published | {"conditional", "augmentation", "stacked_mnist", "broad", "ring8", "grid25", "digits"}
        <= presets().keys()
    )


def test_limited_data_trains_on_the_first_samples_alone() -> None:
    _, tree = load("augmentation").space.fixed(load("augmentation").known_good[0])
    tree["data"] = {"name": "digits", "limit": 50}
    tree["generator"] |= {"depth": 2}
    state = initial(toy(tree), data("digits"), seed=0)
    assert len(state.batches.domains["real"].samples) == 50
    assert sum(state.facts.classes) == 50
