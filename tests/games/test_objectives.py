"""The objectives against the papers' equations, written out in float64."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pipeline.games.objectives import objective as objective_of
from pipeline.schema.game import OBJECTIVES, SMOOTHED

REAL = torch.tensor([-3.0, -1.0, -0.2, 0.0, 0.7, 1.0, 4.0], dtype=torch.float64)
FAKE = torch.tensor([2.5, 1.0, -1.0, 0.3, 0.0, -4.0, -0.6], dtype=torch.float64)
ZERO = torch.zeros_like(REAL)


def probability(score: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-score))


def value(real: Tensor, fake: Tensor) -> Tensor:
    """Goodfellow et al. 2014, eq. 1: what D maximises."""
    return torch.log(probability(real)) + torch.log(1 - probability(fake))


EQUATIONS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "minimax": (lambda r, f: -value(r, f), lambda r, f: torch.log(1 - probability(f))),
    "non_saturating": (lambda r, f: -value(r, f), lambda r, f: -torch.log(probability(f))),
    "least_squares": (lambda r, f: ((r - 1) ** 2 + (f - 0) ** 2) / 2, lambda r, f: (f - 1) ** 2 / 2),
    "hinge": (lambda r, f: -torch.minimum(ZERO, -1 + r) - torch.minimum(ZERO, -1 - f), lambda r, f: -f),
    "wasserstein": (lambda r, f: -(r - f), lambda r, f: -f),
    # Jolicoeur-Martineau 2019, eqs. 3 and 4 (RSGAN).
    "relativistic": (
        lambda r, f: -torch.log(probability(r - f)),
        lambda r, f: -torch.log(probability(f - r)),
    ),
    # ibid., eqs. 7 and 8 (RaSGAN), with the two expectations under one mean.
    "relativistic_average": (
        lambda r, f: -torch.log(probability(r - f.mean())) - torch.log(1 - probability(f - r.mean())),
        lambda r, f: -torch.log(probability(f - r.mean())) - torch.log(1 - probability(r - f.mean())),
    ),
}


def test_every_objective_has_its_equation_and_its_place_in_the_spec() -> None:
    assert OBJECTIVES.keys() == EQUATIONS.keys()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_are_the_papers(name: str) -> None:
    of_d, of_g = EQUATIONS[name]
    torch.testing.assert_close(objective_of(name).discriminator(REAL, FAKE), of_d(REAL, FAKE), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(objective_of(name).generator(REAL, FAKE), of_g(REAL, FAKE), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_large_scores_have_finite_losses_and_gradients(name: str) -> None:
    scores = torch.tensor([-1e4, -90.0, 90.0, 1e4], requires_grad=True)
    for loss in (
        objective_of(name).discriminator(scores, scores.flip(0)),
        objective_of(name).generator(scores, scores),
    ):
        (gradient,) = torch.autograd.grad(loss.sum(), scores)
        assert loss.isfinite().all()
        assert gradient.isfinite().all()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_each_side_pulls_its_way(name: str) -> None:
    """D's loss falls as reals score higher and fakes lower; G's falls as fakes score higher."""
    real, fake = (torch.zeros(3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    of_real, of_fake = torch.autograd.grad(objective_of(name).discriminator(real, fake).sum(), (real, fake))
    (of_g,) = torch.autograd.grad(objective_of(name).generator(real, fake).sum(), fake)
    assert (of_real < 0).all()
    assert (of_g < 0).all()
    assert (of_fake > 0).all() or name == "least_squares"  # whose fakes are at their target, 0


def smoothed_cross_entropy(r: Tensor, f: Tensor, target: float) -> Tensor:
    of_real = target * torch.log(probability(r)) + (1 - target) * torch.log(1 - probability(r))
    return -of_real - torch.log(1 - probability(f))


SMOOTHED_EQUATIONS = {  # Salimans et al. 2016, sec. 3.4: the target of the reals alone
    "minimax": smoothed_cross_entropy,
    "non_saturating": smoothed_cross_entropy,
    "least_squares": lambda r, f, target: ((r - target) ** 2 + f**2) / 2,
}


@pytest.mark.parametrize("name", SMOOTHED)
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.3])
def test_one_sided_label_smoothing(name: str, smoothing: float) -> None:
    found = objective_of(name).discriminator(REAL, FAKE, smoothing)
    torch.testing.assert_close(found, SMOOTHED_EQUATIONS[name](REAL, FAKE, 1 - smoothing), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_sign_says_whether_d_takes_a_real_for_one(name: str) -> None:
    """At the score where D says half and half the sign is 0; a real well above its fake has the sign 1."""
    objective = objective_of(name)
    high, low = torch.tensor([5.0, 3.0]), torch.tensor([-5.0, -3.0])
    assert objective.signs(high, low).tolist() == [1.0, 1.0]
    assert objective.signs(low, high).tolist() == [-1.0, -1.0]
    half = torch.full((3,), 0.5 if name == "least_squares" else 0.0)
    assert objective.signs(half, half).tolist() == [0.0, 0.0, 0.0]
    shifts = objective.signs(high + 100, high + 101).tolist() == [-1.0, -1.0]
    assert shifts == (name in ("wasserstein", "relativistic", "relativistic_average"))
