"""The objectives against the papers' equations, written out in float64."""

from collections.abc import Callable
from typing import get_args

import pytest
import torch
from torch import Tensor

from pipeline.games.objectives import OBJECTIVES
from pipeline.spec.trial import AdversarialSpec

REAL = torch.tensor([-3.0, -1.0, -0.2, 0.0, 0.7, 1.0, 4.0], dtype=torch.float64)
FAKE = torch.tensor([2.5, 1.0, -1.0, 0.3, 0.0, -4.0, -0.6], dtype=torch.float64)
ZERO = torch.zeros_like(REAL)


def probability(score: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-score))


def value(real: Tensor, fake: Tensor) -> Tensor:
    """Goodfellow et al. 2014, eq. 1: what D maximises."""
    return torch.log(probability(real)) + torch.log(1 - probability(fake))


EQUATIONS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "minimax": (lambda r, f: -value(r, f), lambda f: torch.log(1 - probability(f))),
    "non_saturating": (lambda r, f: -value(r, f), lambda f: -torch.log(probability(f))),
    "least_squares": (lambda r, f: ((r - 1) ** 2 + (f - 0) ** 2) / 2, lambda f: (f - 1) ** 2 / 2),
    "hinge": (lambda r, f: -torch.minimum(ZERO, -1 + r) - torch.minimum(ZERO, -1 - f), lambda f: -f),
    "wasserstein": (lambda r, f: -(r - f), lambda f: -f),
}


def test_every_objective_has_its_equation_and_its_place_in_the_spec() -> None:
    names = set(get_args(AdversarialSpec.model_fields["objective"].annotation))
    assert OBJECTIVES.keys() == EQUATIONS.keys() == names


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_are_the_papers(name: str) -> None:
    of_d, of_g = EQUATIONS[name]
    torch.testing.assert_close(OBJECTIVES[name].discriminator(REAL, FAKE), of_d(REAL, FAKE), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(OBJECTIVES[name].generator(REAL, FAKE), of_g(FAKE), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_large_scores_have_finite_losses_and_gradients(name: str) -> None:
    scores = torch.tensor([-1e4, -90.0, 90.0, 1e4], requires_grad=True)
    for loss in (OBJECTIVES[name].discriminator(scores, scores.flip(0)), OBJECTIVES[name].generator(scores, scores)):
        (gradient,) = torch.autograd.grad(loss.sum(), scores)
        assert loss.isfinite().all()
        assert gradient.isfinite().all()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_each_side_pulls_its_way(name: str) -> None:
    """D's loss falls as reals score higher and fakes lower; G's falls as fakes score higher."""
    real, fake = (torch.zeros(3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    of_real, of_fake = torch.autograd.grad(OBJECTIVES[name].discriminator(real, fake).sum(), (real, fake))
    (of_g,) = torch.autograd.grad(OBJECTIVES[name].generator(real, fake).sum(), fake)
    assert (of_real < 0).all()
    assert (of_g < 0).all()
    assert (of_fake > 0).all() or name == "least_squares"  # whose fakes are at their target, 0
