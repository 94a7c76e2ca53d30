"""The adversarial game: its losses are functions, its lazy terms are multiplied, its inputs are the spec's."""

import itertools
from typing import Any

import pytest
import torch

from pipeline import games
from pipeline.games.adversarial import AdversarialGame
from pipeline.games.objectives import OBJECTIVES
from pipeline.games.regularisers import REGULARISERS
from pipeline.spec.trial import TrialSpec

POINTS: dict[str, Any] = {
    "data": {"name": "ring8"},
    "budget": {"images": 640},
    "evaluation": {"every": 320},
    "latent": {"size": 3},
    "generator": {"network": "mlp", "width": 8, "depth": 2},
    "discriminator": {"network": "mlp", "width": 8, "depth": 2},
}
IMAGES = POINTS | {
    "data": {"name": "digits"},
    "generator": {"network": "dcgan", "width": 4, "depth": 2, "norm": "layer", "init": "kaiming"},
    "discriminator": {"network": "dcgan", "width": 4, "depth": 2, "norm": "layer", "init": "kaiming"},
}
SHAPES = {"ring8": (2,), "digits": (1, 8, 8)}


def make(tree: dict[str, Any], **changes: Any) -> AdversarialGame:
    game = games.build(TrialSpec.model_validate(tree | changes), SHAPES[tree["data"]["name"]], seed=1)
    assert isinstance(game, AdversarialGame)
    return game


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some(game: AdversarialGame, tree: dict[str, Any], count: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    real = torch.randn((count, *SHAPES[tree["data"]["name"]]), generator=seeded(5))
    return real, game.generate(game.generator, game.inputs(count, seeded(6)))


@pytest.mark.parametrize("name", REGULARISERS)
def test_the_weight_and_the_lazy_factor_multiply(name: str) -> None:
    game = make(POINTS, regularisers={name: {"weight": 3.0, "interval": 16}})
    real, fake = some(game, POINTS)
    assert game.intervals() == {name: 16}
    terms = game.discriminator_loss(game.discriminator, real, fake, seeded(), {name: 16.0}).terms
    penalty = REGULARISERS[name].penalty(game.discriminator, real, fake, seeded())
    torch.testing.assert_close(terms[name], 3.0 * 16.0 * penalty)
    assert game.discriminator_loss(game.discriminator, real, fake, seeded(), {}).terms.keys() == {"adversarial"}


def test_a_regulariser_that_is_not_chosen_is_not_there() -> None:
    assert make(POINTS).intervals() == {}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_loss_is_the_objectives_mean(name: str) -> None:
    game = make(POINTS, game={"objective": name})
    real, fake = some(game, POINTS)
    real_scores, fake_scores = game.discriminator(real), game.discriminator(fake)
    of_d = game.discriminator_loss(game.discriminator, real, fake, seeded(), {})
    torch.testing.assert_close(of_d.total(), OBJECTIVES[name].discriminator(real_scores, fake_scores).mean())
    of_g = game.generator_loss(game.discriminator, real, fake)
    torch.testing.assert_close(of_g.total(), OBJECTIVES[name].generator(real_scores, fake_scores).mean())


@pytest.mark.parametrize(("distribution", "low", "deviation"), [("gaussian", -3.0, 1.0), ("uniform", -1.0, 3**-0.5)])
def test_latents_are_the_specs(distribution: str, low: float, deviation: float) -> None:
    drawn = make(POINTS, latent={"size": 50, "distribution": distribution}).inputs(2000, seeded())
    assert drawn.shape == (2000, 50)
    assert float(drawn.mean()) == pytest.approx(0, abs=0.02)
    assert float(drawn.std()) == pytest.approx(deviation, rel=0.02)
    assert (drawn.min() < low) if distribution == "gaussian" else (low <= drawn.min() and drawn.max() < 1)


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "spectral", "instance"])
def test_stackable_is_said_for_what_leaves_buffers_alone(norm: str) -> None:
    game = make(IMAGES, discriminator={"network": "dcgan", "width": 4, "depth": 2, "norm": norm})
    real, fake = some(game, IMAGES)
    before = {name: buffer.clone() for name, buffer in game.discriminator.named_buffers()}
    game.discriminator(real)
    changed = any(not torch.equal(before[name], buffer) for name, buffer in game.discriminator.named_buffers())
    assert game.stackable == (not changed)
    assert game.stackable == (norm not in ("batch", "spectral"))
    assert fake.shape == real.shape


@pytest.mark.parametrize(
    ("tree", "objective", "regulariser"), itertools.product([POINTS, IMAGES], OBJECTIVES, [None, *REGULARISERS])
)
def test_losses_are_functions_of_the_networks_they_are_given(
    tree: dict[str, Any], objective: str, regulariser: str | None
) -> None:
    """Gradients through torch.func.functional_call, on weights outside the modules, are those of backward()."""
    chosen = {regulariser: {"weight": 2.0}} if regulariser else {}
    game = make(tree, game={"objective": objective}, regularisers=chosen)
    assert game.stackable
    real, inputs, due = some(game, tree)[0], game.inputs(6, seeded(6)), dict.fromkeys(chosen, 1.0)
    generator, discriminator = game.generator, game.discriminator

    game.discriminator_loss(
        discriminator, real, game.generate(generator, inputs).detach(), seeded(7), due
    ).total().backward()
    of_d = {name: p.grad.clone() for name, p in discriminator.named_parameters() if p.grad is not None}
    game.generator_loss(discriminator, real, game.generate(generator, inputs)).total().backward()
    of_g = {name: p.grad.clone() for name, p in generator.named_parameters() if p.grad is not None}

    weights_g, weights_d = (
        {name: p.detach().clone().requires_grad_(True) for name, p in side.named_parameters()}
        for side in (generator, discriminator)
    )

    def call_g(x: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(generator, weights_g, (x,))

    def call_d(x: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(discriminator, weights_d, (x,))

    loss_d = game.discriminator_loss(call_d, real, game.generate(call_g, inputs).detach(), seeded(7), due).total()
    loss_g = game.generator_loss(call_d, real, game.generate(call_g, inputs)).total()
    for loss, weights, expected in ((loss_d, weights_d, of_d), (loss_g, weights_g, of_g)):
        found = torch.autograd.grad(loss, [weights[name] for name in expected])
        assert len(expected) == len(weights)
        for name, gradient in zip(expected, found, strict=True):
            torch.testing.assert_close(gradient, expected[name], rtol=1e-5, atol=1e-6)
