"""Gradient penalties against closed forms and finite differences."""

import math

import pytest
import torch
from torch import Tensor, nn

from pipeline.games.regularisers import REGULARISERS, input_gradient
from pipeline.spec.trial import RegularisersSpec

DOUBLE = {"dtype": torch.float64}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), **DOUBLE)


def smooth_mlp() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 16), nn.Softplus(), nn.Linear(16, 1)).double()


def test_every_regulariser_is_in_the_spec() -> None:
    assert REGULARISERS.keys() == RegularisersSpec.model_fields.keys()


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
def test_r1_of_a_linear_discriminator(shape: tuple[int, ...]) -> None:
    """D(x) = w x + b: |w|^2 / 2 for each sample, whose gradient in w is w."""
    real = normal(*shape)
    w = normal(math.prod(shape[1:]), seed=3).requires_grad_(True)
    values = REGULARISERS["r1"].penalty(lambda x: x.flatten(1) @ w + 2, real, real + 1, seeded())
    torch.testing.assert_close(values.double(), (w.detach().square().sum() / 2).expand(6), rtol=1e-6, atol=0)
    torch.testing.assert_close(torch.autograd.grad(values.mean(), w)[0], w.detach(), rtol=1e-6, atol=0)


def test_r1_of_a_quadratic_discriminator() -> None:
    """D(x) = x'Ax / 2 with a symmetric A: |Ax|^2 / 2, at the reals alone."""
    a, real = normal(4, 4, seed=3), normal(6, 4)
    a = a + a.T
    values = REGULARISERS["r1"].penalty(lambda x: ((x @ a) * x).sum(1) / 2, real, 100 * real, seeded())
    torch.testing.assert_close(values.double(), (real @ a).square().sum(1) / 2, rtol=1e-6, atol=0)


def test_wgan_gp_of_a_linear_discriminator() -> None:
    w, real = normal(4, seed=3), normal(6, 4)
    values = REGULARISERS["wgan_gp"].penalty(lambda x: x @ w, real, -real, seeded())
    torch.testing.assert_close(values.double(), ((w.norm() - 1) ** 2).expand(6), rtol=1e-5, atol=0)


@pytest.mark.parametrize("shape", [(64, 4), (64, 1, 2, 2)])
def test_wgan_gp_looks_between_each_real_and_its_fake(shape: tuple[int, ...]) -> None:
    """D(x) = |x|^2 / 2 has the gradient x, so the penalty says where it looked: one share for each sample."""
    real = torch.zeros(shape, **DOUBLE)
    fake = torch.arange(1.0, 65.0, **DOUBLE).view(-1, *[1] * (len(shape) - 1)).expand(shape)
    looked: list[Tensor] = []

    def discriminator(x: Tensor) -> Tensor:
        looked.append(x.detach())
        return x.flatten(1).square().sum(1) / 2

    values = REGULARISERS["wgan_gp"].penalty(discriminator, real, fake, seeded())
    (at,) = looked
    share = (at / fake).flatten(1)
    torch.testing.assert_close(share, share[:, :1].expand_as(share))
    assert 0 <= share.min() < 0.2
    assert 0.8 < share.max() < 1
    torch.testing.assert_close(values.double(), (at.flatten(1).norm(dim=1) - 1) ** 2, rtol=1e-5, atol=1e-6)


def test_wgan_gp_is_finite_where_the_gradient_is_zero() -> None:
    """A discriminator that is constant, as a dead one is: the penalty is 1 and its gradient a number."""
    w = torch.zeros(4, requires_grad=True)
    values = REGULARISERS["wgan_gp"].penalty(lambda x: x @ w, torch.ones(6, 4), torch.zeros(6, 4), seeded())
    torch.testing.assert_close(values.detach(), torch.ones(6))
    assert torch.autograd.grad(values.mean(), w)[0].isfinite().all()


@pytest.mark.parametrize("name", REGULARISERS)
def test_the_penalty_is_of_the_discriminator_alone(name: str) -> None:
    network = smooth_mlp()
    fake = normal(7, 5, seed=2).requires_grad_(True)
    values = REGULARISERS[name].penalty(lambda x: network(x).squeeze(1), normal(7, 5), fake, seeded())
    assert values.shape == (7,)
    (of_fake,) = torch.autograd.grad(values.mean(), fake, allow_unused=True)
    assert of_fake is None
