"""Losses are functions of the networks they are given, as training several runs in one process needs."""

import itertools
from typing import Any

import pytest
import torch

from pipeline.games.adversarial import AdversarialGame
from pipeline.games.game import Draw, Progress
from pipeline.schema.game import OBJECTIVES
from pipeline.schema.parts import RegularisersSpec
from tests.games.families import CHOSEN, FAMILIES
from tests.games.test_adversarial import IMAGES, POINTS, inputs_of, make, seeded, some, turn

IN_A_FADE = 240  # images of 640, where a network that grows uses all that it has at 8 x 8 pixels
# What leaves no trace in a buffer, each on its own: (regularisers, other keys).
PARTS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    *(({name: {"start": 0} if name == "lecam" else {}}, {}) for name in RegularisersSpec.terms()),
    ({"mode_seeking": {}}, {}),
    ({"instance_noise": {}}, {}),
    ({}, {"augmentation": {"diffaugment": {}}}),
    ({}, {"augmentation": {"ada": {}}}),
    ({"r1": {}}, {"game": {"packing": 2}}),
    ({"r2": {}}, {"game": {"condition": {"kind": "projection"}}}),
    ({}, {"game": {"condition": {"kind": "auxiliary_classifier", "weight": 0.5}}}),
    ({}, {"game": {"condition": {"kind": "concatenation"}}}),
    ({"r1": {}}, {"discriminator": {"minibatch": "stddev"}}),
    ({}, {"discriminator": {"minibatch": "discrimination"}}),
    ({}, {"discriminator": {"dropout": 0.3}}),
]


def build(tree: dict[str, Any], regularisers: dict[str, Any], changes: dict[str, Any]) -> AdversarialGame:
    merged = {key: tree.get(key, {}) | value for key, value in changes.items()}
    return make(tree, regularisers=regularisers, **merged)


def same_gradients(game: AdversarialGame, tree: dict[str, Any]) -> None:
    """Those of functional_call, on weights outside the modules, against those of the modules, from the same draws."""
    real = some(game, tree)[0]
    inputs = inputs_of(game, len(real))
    generator, discriminator = game.generator, game.discriminator
    weights_g, weights_d = (
        {name: p.detach().clone().requires_grad_(True) for name, p in side.named_parameters()}
        for side in (generator, discriminator)
    )

    def call_g(*arguments: Any) -> torch.Tensor:
        return torch.func.functional_call(generator, weights_g, arguments)

    def call_d(*arguments: Any) -> torch.Tensor:
        return torch.func.functional_call(discriminator, weights_d, arguments)

    def losses(one: Any, other: Any) -> list[torch.Tensor]:
        due = {name: float(every) for name, every in game.intervals("discriminator").items()}
        fake: Any = game.generate(one, inputs, Draw(seeded(), Progress(5, IN_A_FADE, 640)))
        turns = (
            turn(game, real, fake, inputs=inputs, due=due, step=5, images=IN_A_FADE, randomness=seeded(s))
            for s in (7, 8)
        )
        of_d = game.discriminator_loss(other, next(turns)).total()
        return [of_d, game.generator_loss(one, other, next(turns)).total()]

    for number, (side, weights) in enumerate(((discriminator, weights_d), (generator, weights_g))):
        expected = torch.autograd.grad(losses(generator, discriminator)[number], list(side.parameters()))
        found = torch.autograd.grad(losses(call_g, call_d)[number], list(weights.values()))
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
        assert sum(float(gradient.abs().sum()) for gradient in expected) > 0


@pytest.mark.parametrize(("tree", "objective"), itertools.product([POINTS, IMAGES], OBJECTIVES))
def test_every_objective(tree: dict[str, Any], objective: str) -> None:
    game = make(tree, game={"objective": objective})
    assert game.stackable
    same_gradients(game, tree)


@pytest.mark.parametrize(("regularisers", "changes"), PARTS)
def test_every_part(regularisers: dict[str, Any], changes: dict[str, Any]) -> None:
    game = build(IMAGES, regularisers, changes)
    assert game.stackable
    same_gradients(game, IMAGES)


@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in ("mlp", "stylegan2")])
def test_every_family_without_a_norm_over_the_batch(family: str) -> None:
    norm = {"norm": "none" if family in CHOSEN else "layer"}
    game = make(IMAGES, **{side: {"network": family, "width": 4} | norm for side in ("generator", "discriminator")})
    assert game.stackable
    same_gradients(game, IMAGES)


def test_a_generator_that_keeps_the_mean_of_its_styles_is_not_stacked() -> None:
    assert not make(IMAGES, generator={"network": "stylegan2", "width": 4}).stackable


def test_a_loss_changes_no_state_of_its_part() -> None:
    """The step alone replaces it, by what advance() gives."""
    game = make(IMAGES, regularisers={"lecam": {"start": 0}}, augmentation={"ada": {"interval": 1}})
    real, fake = some(game, IMAGES)
    at = turn(game, real, fake, due={"lecam": 1.0})
    state = at.auxiliary["discriminator"]
    losses = game.discriminator_loss(game.discriminator, at)
    assert all(float(value) == 0 for part in state.values() for value in part.values())
    after = game.advance("discriminator", losses, at)
    assert all(float(value) == 0 for part in state.values() for value in part.values())
    assert after.keys() == state.keys()
    assert float(after["lecam"]["real"]) == pytest.approx(float(losses.judged["samples"][0].detach().mean()))
