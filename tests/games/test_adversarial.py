"""The adversarial game: its losses are functions, its lazy terms are multiplied, its inputs are the spec's."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from pipeline import games
from pipeline.games.adversarial import AdversarialGame
from pipeline.games.game import SIDES, Draw, Facts, Progress, Turn
from pipeline.games.objectives import objective as objective_of
from pipeline.schema.game import OBJECTIVES, SMOOTHED
from pipeline.schema.trial import TrialSpec

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
GRADIENT_PENALTIES = ("r1", "r2", "wgan_gp", "dragan")
SHAPES = {"ring8": (2,), "digits": (1, 8, 8)}


def make(tree: dict[str, Any], **changes: Any) -> AdversarialGame:
    name = tree["data"]["name"]
    data = Facts("image", SHAPES[name], (3, 1)) if name == "digits" else Facts("points", SHAPES[name])
    game = games.build(TrialSpec.model_validate(tree | changes), data, 1)
    assert isinstance(game, AdversarialGame)
    return game


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some(game: AdversarialGame, tree: dict[str, Any], count: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    real = torch.randn((count, *SHAPES[tree["data"]["name"]]), generator=seeded(5))
    return real, generated(game, inputs_of(game, count))


def inputs_of(game: AdversarialGame, count: int, seed: int = 6) -> Any:
    """Latents, and labels where the game has a condition."""
    return game.inputs(count, seeded(seed), {"label": torch.arange(count) % 2})


def generated(game: AdversarialGame, inputs: Any) -> torch.Tensor:
    fakes = game.generate(game.generator, inputs, Draw(seeded()))
    assert isinstance(fakes, torch.Tensor)
    return fakes


def turn(game: AdversarialGame, real: torch.Tensor, fake: torch.Tensor, **changes: Any) -> Turn:
    """The discriminator's; step and images: so far."""
    progress = Progress(changes.pop("step", 0), changes.pop("images", 0), 640)
    auxiliary = {side: game.auxiliary(side, torch.device("cpu")) for side in SIDES}
    chosen = {"inputs": inputs_of(game, len(real)), "randomness": seeded(), "auxiliary": auxiliary}
    return Turn(batch={"real": real}, fake=fake, progress=progress, **chosen | changes)


def test_the_probability_of_ada_can_be_seen() -> None:
    game = make(IMAGES, augmentation={"ada": {}})
    state = {"ada": {"p": torch.tensor(0.25), "signs": torch.tensor(0.0)}}
    at = turn(game, *some(game, IMAGES))
    losses = game.discriminator_loss(
        game.discriminator, replace(at, auxiliary={"discriminator": state, "generator": {}})
    )
    assert {name: float(value) for name, value in losses.measurements.items()} == {"ada_probability": 0.25}


@pytest.mark.parametrize("name", GRADIENT_PENALTIES)
def test_a_lazy_term_is_multiplied_by_its_interval(name: str) -> None:
    game = make(POINTS, regularisers={name: {"weight": 3.0, "interval": 16}})
    real, fake = some(game, POINTS)
    assert game.intervals("discriminator") == {name: 16}
    lazy, plain = (
        game.discriminator_loss(game.discriminator, turn(game, real, fake, due={name: factor})).terms[name]
        for factor in (16.0, 1.0)
    )
    torch.testing.assert_close(lazy, 16.0 * plain)
    assert lazy.sum() > 0
    assert game.discriminator_loss(game.discriminator, turn(game, real, fake)).terms.keys() == {"adversarial"}


def test_terms_that_are_chosen_together_are_all_there() -> None:
    every = {name: {} for name in GRADIENT_PENALTIES} | {"lecam": {}}
    game = make(POINTS, regularisers=every)
    assert game.intervals("discriminator").keys() == every.keys()
    due = dict.fromkeys(every, 1.0)
    terms = game.discriminator_loss(game.discriminator, turn(game, *some(game, POINTS), due=due)).terms
    assert terms.keys() == {"adversarial", *every}


def test_a_regulariser_that_is_not_chosen_is_not_there() -> None:
    assert make(POINTS).intervals("discriminator") == {}
    assert make(POINTS).auxiliary("discriminator", torch.device("cpu")) == {}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_loss_is_the_objectives_mean(name: str) -> None:
    game = make(POINTS, game={"objective": name})
    real, fake = some(game, POINTS)
    real_scores, fake_scores = game.discriminator(real), game.discriminator(fake)
    of_d = game.discriminator_loss(game.discriminator, turn(game, real, fake))
    torch.testing.assert_close(of_d.total(), objective_of(name).discriminator(real_scores, fake_scores).mean())
    of_g = game.generator_loss(game.generator, game.discriminator, turn(game, real, fake))
    torch.testing.assert_close(of_g.total(), objective_of(name).generator(real_scores, fake_scores).mean())


@pytest.mark.parametrize("name", SMOOTHED)
def test_label_smoothing_lowers_the_target_of_the_reals_alone(name: str) -> None:
    game = make(POINTS, game={"objective": name, "label_smoothing": 0.2})
    real, fake = some(game, POINTS)
    scores = game.discriminator(real), game.discriminator(fake)
    of_d = game.discriminator_loss(game.discriminator, turn(game, real, fake))
    torch.testing.assert_close(of_d.total(), objective_of(name).discriminator(*scores, 0.2).mean())
    of_g = game.generator_loss(game.generator, game.discriminator, turn(game, real, fake))
    torch.testing.assert_close(of_g.total(), objective_of(name).generator(*scores).mean())


@pytest.mark.parametrize(("distribution", "low", "deviation"), [("gaussian", -3.0, 1.0), ("uniform", -1.0, 3**-0.5)])
def test_latents_are_the_specs(distribution: str, low: float, deviation: float) -> None:
    drawn = make(POINTS, latent={"size": 50, "distribution": distribution}).inputs(2000, seeded(), {})
    assert not isinstance(drawn, torch.Tensor)
    drawn = drawn["latent"]
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
