"""The loss terms against closed forms, finite differences and the papers' equations."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pipeline.games.augment import TRANSFORMS
from pipeline.games.game import Auxiliary, Side
from pipeline.games.regularisers import (
    Regulariser,
    Seen,
    advance_lecam,
    input_gradient,
    lecam,
    mode_seeking,
    scalars_of,
)
from pipeline.schema.parts import ConsistencySpec, LecamSpec, ModeSeekingSpec, RegularisersSpec
from pipeline.schema.rows import at
from tests.games.test_adversarial import POINTS, make, some, turn

DOUBLE: dict[str, Any] = {"dtype": torch.float64}
GRADIENT_PENALTIES = ("r1", "r2", "wgan_gp", "dragan")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), **DOUBLE)


def smooth_mlp() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 16), nn.Softplus(), nn.Linear(16, 1)).double()


REGULARISERS: dict[str, Regulariser] = {name: at(made) for name, made in RegularisersSpec.terms().items()}


def seen(discriminator: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, **changes: Any) -> Seen:
    """As a game makes it where a term that is due takes a slope."""
    real, fake = real.detach().requires_grad_(), fake.detach().requires_grad_()
    chosen: dict[str, Any] = {"randomness": seeded(), "sample_axes": real.dim() - 1} | changes
    return Seen(discriminator, real, fake, discriminator(real), discriminator(fake), **chosen)


def penalty(name: str, discriminator: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, **spec: Any) -> Tensor:
    part = getattr(RegularisersSpec.model_validate({name: spec}), name)
    return REGULARISERS[name].penalty(seen(discriminator, real, fake, scalars=scalars_of(part)), part)


def test_every_regulariser_is_in_the_spec_and_in_one_place() -> None:
    elsewhere = {"mode_seeking", "path_length", "weight_clipping", "gradient_clipping", "instance_noise", "own"}
    assert all(isinstance(term, Regulariser) for term in REGULARISERS.values())
    assert REGULARISERS.keys() | elsewhere == RegularisersSpec.model_fields.keys()
    every = RegularisersSpec.model_validate({name: {} for name in REGULARISERS})
    assert set(every.gradient_penalties()) == set(GRADIENT_PENALTIES)


@pytest.mark.parametrize("stacked", [False, True])
def test_the_input_gradient_is_finite_differences(stacked: bool) -> None:
    network, x, h = smooth_mlp(), normal(7, 5), 1e-6
    with torch.no_grad():
        columns = [(network(x + h * e) - network(x - h * e)).squeeze(1) / (2 * h) for e in torch.eye(5, **DOUBLE)]
    found = input_gradient(lambda at: network(at).squeeze(1), x, stacked)
    torch.testing.assert_close(found, torch.stack(columns, 1), rtol=1e-6, atol=1e-8)


def test_both_ways_to_the_input_gradient_have_the_same_gradient_in_the_weights() -> None:
    network, x = smooth_mlp(), normal(7, 5)
    of_weights = []
    for stacked in (False, True):
        penalty = input_gradient(lambda at: network(at).squeeze(1), x, stacked).square().sum()
        of_weights.append(torch.autograd.grad(penalty, list(network.parameters()), allow_unused=True))
    for plain, functional in zip(*of_weights, strict=True):
        assert (plain is None) == (functional is None)
        if plain is not None:
            torch.testing.assert_close(plain, functional)
    assert of_weights[0][0].abs().sum() > 0


def test_the_stacked_way_goes_through_vmap() -> None:
    """One discriminator each of three runs, as torch.func.vmap stacks them."""
    weights, x = normal(3, 5), normal(3, 7, 5, seed=1)
    stack = torch.func.vmap(lambda w, at: input_gradient(lambda inner: (inner @ w).square(), at, stacked=True))
    expected = torch.stack([2 * (at @ w)[:, None] * w for w, at in zip(weights, x, strict=True)])
    torch.testing.assert_close(stack(weights, x), expected)


def test_reals_that_need_no_gradient_are_left_as_they_are() -> None:
    x = normal(4, 5)
    with torch.no_grad():
        gradient = input_gradient(lambda at: at.square().sum(1), x)
    torch.testing.assert_close(gradient.detach(), 2 * x)
    assert not x.requires_grad
    assert x.grad is None


@pytest.mark.parametrize("shape", [(6, 4), (6, 3, 2, 2)])
@pytest.mark.parametrize("name", ["r1", "r2"])
def test_zero_centred_penalties_of_a_linear_discriminator(name: str, shape: tuple[int, ...]) -> None:
    """D(x) = w x + b: weight * |w|^2 / 2 for each sample, whose gradient in w is weight * w."""
    real = normal(*shape)
    w = normal(math.prod(shape[1:]), seed=3).requires_grad_(True)
    values = penalty(name, lambda x: x.flatten(1) @ w + 2, real, real + 1, weight=3.0)
    torch.testing.assert_close(values.double(), (3 * w.detach().square().sum() / 2).expand(6), rtol=1e-6, atol=0)
    torch.testing.assert_close(torch.autograd.grad(values.mean(), w)[0], 3 * w.detach(), rtol=1e-6, atol=0)


@pytest.mark.parametrize(("name", "factor"), [("r1", 1.0), ("r2", 10_000.0)])
def test_zero_centred_penalties_of_a_quadratic_discriminator(name: str, factor: float) -> None:
    """D(x) = x'Ax / 2 with a symmetric A: |Ax|^2 / 2, at the reals for r1, at the fakes (100 times as far) for r2."""
    a, real = normal(4, 4, seed=3), normal(6, 4)
    a = a + a.T
    values = penalty(name, lambda x: ((x @ a) * x).sum(1) / 2, real, 100 * real, weight=1.0)
    torch.testing.assert_close(values.double(), factor * (real @ a).square().sum(1) / 2, rtol=1e-6, atol=0)


def test_r1_and_r2_together_are_the_papers_sum() -> None:
    """Huang et al. 2024, eqs. 4 and 5: gamma / 2 * E|grad D|^2 over reals and over fakes, each with its weight and,
    lazily, its interval; D(x) = |x|^2 / 2 has the gradient x."""
    parts = {"r1": {"weight": 0.3, "interval": 4}, "r2": {"weight": 5.0}}
    game = make(POINTS, regularisers=parts)
    real, fake = some(game, POINTS)
    at = turn(game, real, fake, due={"r1": 4.0, "r2": 1.0})
    losses = game.discriminator_loss(lambda x, *_: x.square().sum(1) / 2, at)
    torch.testing.assert_close(losses.terms["r1"], 4 * 0.3 / 2 * real.square().sum(1))
    torch.testing.assert_close(losses.terms["r2"], 5.0 / 2 * fake.detach().square().sum(1))
    assert float(losses.total().detach()) == pytest.approx(sum(float(t.detach().mean()) for t in losses.terms.values()))


def test_r1_and_r2_take_the_slope_of_the_scores_that_are_there() -> None:
    """As in the authors' code of StyleGAN2 and R3GAN: no pass of their own, and the same augmentation."""
    game = make(POINTS, regularisers={"r1": {}, "r2": {}})
    real, fake = some(game, POINTS)
    passes = []

    def discriminator(x: Tensor, *_: Any) -> Tensor:
        passes.append(len(x))
        return x.square().sum(1)

    game.discriminator_loss(discriminator, turn(game, real, fake, due={"r1": 1.0, "r2": 1.0}))
    assert passes == [len(real), len(fake)]
    assert not real.requires_grad


def test_drift_is_the_squares_of_the_reals_scores() -> None:
    """tkarras/progressive_growing_of_gans, loss.py: wgan_epsilon * square(real_scores)."""
    real = normal(6, 4)
    values = penalty("drift", lambda x: 3 * x[:, 0], real, real + 7, weight=0.5)
    torch.testing.assert_close(values, 0.5 * (3 * real[:, 0]).square(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", ["wgan_gp", "dragan"])
def test_one_centred_penalties_of_a_linear_discriminator(name: str) -> None:
    w, real = normal(4, seed=3), normal(6, 4)
    values = penalty(name, lambda x: x @ w, real, -real, weight=2.0)
    torch.testing.assert_close(values.double(), (2 * (w.norm() - 1) ** 2).expand(6), rtol=1e-5, atol=0)


def looked_at(name: str, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Where a penalty looked, and its values: D(x) = |x|^2 / 2 has the gradient x."""
    looked: list[Tensor] = []

    def discriminator(x: Tensor) -> Tensor:
        looked.append(x.detach())
        return x.flatten(1).square().sum(1) / 2

    values = penalty(name, discriminator, real, fake, weight=1.0)
    return looked[-1], values


@pytest.mark.parametrize("shape", [(64, 4), (64, 1, 2, 2)])
def test_wgan_gp_looks_between_each_real_and_its_fake(shape: tuple[int, ...]) -> None:
    """One share for each sample, all of them over the whole way."""
    real = torch.zeros(shape, **DOUBLE)
    fake = torch.arange(1.0, 65.0, **DOUBLE).view(-1, *[1] * (len(shape) - 1)).expand(shape)
    at, values = looked_at("wgan_gp", real, fake)
    share = (at / fake).flatten(1)
    torch.testing.assert_close(share, share[:, :1].expand_as(share))
    assert 0 <= share.min() < 0.2
    assert 0.8 < share.max() < 1
    torch.testing.assert_close(values.double(), (at.flatten(1).norm(dim=1) - 1) ** 2, rtol=1e-5, atol=1e-6)


def test_dragan_looks_near_the_reals() -> None:
    """Kodali et al. 2017's code: alpha * X + (1 - alpha) * (X + 0.5 * X.std() * U(0, 1))."""
    real = normal(500, 4)
    at, values = looked_at("dragan", real, 1e6 * real)
    away = (at - real) / (0.5 * real.std())
    assert 0 <= away.min() < 0.001
    assert 0.9 < away.max() < 1
    assert float(away.mean()) == pytest.approx(0.25, abs=0.02)  # of two uniform shares multiplied
    torch.testing.assert_close(values.double(), (at.norm(dim=1) - 1) ** 2, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["wgan_gp", "dragan"])
def test_one_centred_penalties_are_finite_where_the_gradient_is_zero(name: str) -> None:
    """A discriminator that is constant, as a dead one is: the penalty is 1 and its gradient a number."""
    w = torch.zeros(4, requires_grad=True)
    values = penalty(name, lambda x: x @ w, normal(6, 4).float(), torch.zeros(6, 4), weight=1.0)
    torch.testing.assert_close(values.detach(), torch.ones(6))
    assert torch.autograd.grad(values.mean(), w)[0].isfinite().all()


def test_lecam_is_the_papers_equation() -> None:
    """Three steps by hand: anchors are exponential averages of the scores, each side is held to the other's."""
    spec = LecamSpec(weight=0.5, decay=0.9, start=0)  # so that from the second step on there is a penalty
    scores = [(normal(5, seed=i) + 1, normal(5, seed=9 + i) - 1) for i in range(3)]
    state = {"real": torch.zeros(()), "fake": torch.zeros(())}
    a_r = a_f = None
    for number, (real, fake) in enumerate(scores):
        a_r = float(real.mean()) if a_r is None else 0.9 * a_r + 0.1 * float(real.mean())
        a_f = float(fake.mean()) if a_f is None else 0.9 * a_f + 0.1 * float(fake.mean())
        found = lecam(Seen(lambda x: x, real, fake, real, fake, seeded(), scalars_of(spec), state, number), spec)
        expected = 0.5 * (torch.relu(real - a_f) ** 2 + torch.relu(a_r - fake) ** 2)
        assert expected.min() > 0
        torch.testing.assert_close(found, expected if number else torch.zeros_like(expected))
        state = advance_lecam(state, real, fake, number, spec)
        assert float(state["real"]) == pytest.approx(a_r)
        assert float(state["fake"]) == pytest.approx(a_f)


def test_lecam_waits_for_its_start() -> None:
    """google/lecam-gan, train_fns.py and utils.ema_losses: the penalty where the iteration, from 0, is greater than
    `start`; before `start` the averages are the last scores, from it on they are averaged."""
    spec = LecamSpec(start=2, decay=0.5)
    state = {"real": torch.zeros(()), "fake": torch.zeros(())}
    means = []
    for number in range(5):
        real, fake = torch.full((3,), 10.0 * number), torch.full((3,), -1.0)
        value = lecam(Seen(lambda x: x, real, fake, real, fake, seeded(), scalars_of(spec), state, number), spec)
        assert bool((value > 0).all()) == (number > 2)
        state = advance_lecam(state, real, fake, number, spec)
        means.append(float(state["real"]))
    assert means == [0.0, 10.0, 15.0, 22.5, 31.25]


@pytest.mark.parametrize("every", [1, 3])
def test_lecam_counts_the_generators_steps(every: int) -> None:
    """Of three steps of D for one of G, three are of one iteration: the state of a game is advanced by it."""
    game = make(POINTS, regularisers={"lecam": {"start": 1, "decay": 0.5}}, optimiser={"discriminator_steps": every})
    real, fake = some(game, POINTS)
    auxiliary, active, means = game.auxiliary("discriminator", real.device), [], []
    for step in range(12):
        there: dict[Side, Auxiliary] = {"discriminator": auxiliary, "generator": {}}
        at = turn(game, real, fake, due={"lecam": 1.0}, step=step, auxiliary=there)
        losses = game.discriminator_loss(lambda x, *_, by=step: x.sum(1) * 0 + by * x[0].sign()[0] + 1, at)
        active.append(bool(losses.terms["lecam"].sum() > 0))
        scores = float(losses.judged["samples"][0].mean())
        means.append((scores, float(auxiliary["lecam"]["real"])))
        auxiliary = game.advance("discriminator", losses, at)
        decay = 0.5 if step // every >= 1 else 0.0
        expected = decay * means[-1][1] + (1 - decay) * scores
        assert float(auxiliary["lecam"]["real"]) == pytest.approx(expected)
    assert active.index(True) == 2 * every


def test_consistency_is_the_papers_algorithm() -> None:
    """Of D(x) = sum(w x): (w (x - T(x)))^2 with each side's weight, T drawn for the reals first."""
    real, fake, w = normal(6, 1, 8, 8), normal(6, 1, 8, 8, seed=1), normal(64, seed=2)
    draw = seeded()
    moved = [TRANSFORMS["translation"](x, draw) for x in (real, fake)]
    found = penalty("consistency", lambda x: x.flatten(1) @ w, real, fake, weight_real=3.0, weight_fake=5.0)
    of_real, of_fake = (((x - y).flatten(1) @ w) ** 2 for x, y in zip((real, fake), moved, strict=True))
    torch.testing.assert_close(found, 3 * of_real + 5 * of_fake)
    assert found.min() > 0


def test_consistency_moves_the_samples_of_a_pack_each_on_its_own() -> None:
    packs = normal(1, 1, 1, 8, 8).expand(4, 3, 1, 8, 8)
    looked: list[Tensor] = []

    def discriminator(x: Tensor) -> Tensor:
        looked.append(x)
        return x.flatten(1).sum(1)

    part = ConsistencySpec()
    at_packs = seen(discriminator, packs, packs, sample_axes=3, scalars=scalars_of(part))
    REGULARISERS["consistency"].penalty(at_packs, part)
    moved = looked[2].flatten(0, 1)
    assert len({tuple(image.flatten().tolist()) for image in moved}) > 3


def test_mode_seeking_is_the_papers_ratio() -> None:
    fakes, latents = (normal(5, 1, 2, 2), normal(5, 1, 2, 2, seed=1)), (normal(5, 3, seed=2), normal(5, 3, seed=3))
    apart = sum(float((a - b).abs().sum()) for a, b in zip(*fakes, strict=True)) / 20
    of_latents = sum(float((a - b).abs().sum()) for a, b in zip(*latents, strict=True)) / 15
    found = mode_seeking(fakes, latents, ModeSeekingSpec(weight=2.0))
    assert float(found) == pytest.approx(2 / (apart / of_latents + 1e-5), rel=1e-6)
    collapsed = mode_seeking((fakes[0], fakes[0]), latents, ModeSeekingSpec(weight=2.0))
    assert float(collapsed) == pytest.approx(2e5)


def test_consistency_mirrors_and_moves_as_its_authors_do() -> None:
    """Zhao et al. 2020: a random flip and a shift, of the same draws as one after the other."""
    real, fake, w = normal(6, 1, 8, 8), normal(6, 1, 8, 8, seed=1), normal(64, seed=2)
    draw, moved = seeded(), []
    for x in (real, fake):
        flipped = TRANSFORMS["flip"](x, draw)
        moved.append(TRANSFORMS["translation"](flipped, draw))
    spec = {"transform": "flip_translation", "weight_real": 1.0, "weight_fake": 1.0}
    found = penalty("consistency", lambda x: x.flatten(1) @ w, real, fake, **spec)
    of_real, of_fake = (((x - y).flatten(1) @ w) ** 2 for x, y in zip((real, fake), moved, strict=True))
    torch.testing.assert_close(found, of_real + of_fake)


@pytest.mark.parametrize("name", REGULARISERS)
def test_the_penalty_is_of_the_discriminator_alone(name: str) -> None:
    """The step hands over fakes that are cut off from the generator; no term brings a gradient back to them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 1)).double()
    real, fake = normal(7, 1, 8, 8), normal(7, 1, 8, 8, seed=2)
    state = dict.fromkeys(REGULARISERS[name].state, torch.zeros(()))
    part = getattr(RegularisersSpec.model_validate({name: {}}), name)
    there = seen(lambda x: network(x).squeeze(1), real, fake, scalars=scalars_of(part), auxiliary=state, step=2000)
    values = REGULARISERS[name].penalty(there, part)
    assert values.shape == (7,)
    gradients = torch.autograd.grad(values.mean(), list(network.parameters()), allow_unused=True)
    assert sum(float(g.abs().sum()) for g in gradients if g is not None) > 0
    assert real.grad is None
