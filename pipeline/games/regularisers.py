"""The regularisers of the discriminator's loss: a value per sample, through one helper for gradients at its input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Discriminator = Callable[[Tensor], Tensor]


def input_gradient(discriminator: Discriminator, x: Tensor, stacked: bool = False) -> Tensor:
    """The gradient of D's scores at its input, (batch, ...) like `x`, differentiable once more.

    The scores are summed first: without coupling between samples (batch norm couples them) row i is the gradient
    of score i. `stacked`: under torch.func transforms, where torch.autograd.grad raises.
    """
    if stacked:
        of_sum: Tensor = torch.func.grad(lambda at: discriminator(at).sum())(x)
        return of_sum
    at = x.detach().requires_grad_(True)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(discriminator(at).sum(), at, create_graph=True)
    return gradient


def squared_norm(gradient: Tensor) -> Tensor:
    """|g|^2 of each sample, (batch,)."""
    return gradient.float().flatten(1).square().sum(1)


def r1(discriminator: Discriminator, real: Tensor, fake: Tensor, randomness: torch.Generator) -> Tensor:
    """|grad D(real)|^2 / 2 (Mescheder et al. 2018, eq. 9, for a weight of 1), (batch,)."""
    return 0.5 * squared_norm(input_gradient(discriminator, real))


def wgan_gp(discriminator: Discriminator, real: Tensor, fake: Tensor, randomness: torch.Generator) -> Tensor:
    """(|grad D(mix)| - 1)^2 at a random point between each real and its fake (Gulrajani et al. 2017, eq. 3)."""
    shape = (real.shape[0], *[1] * (real.dim() - 1))
    share = torch.rand(shape, generator=randomness, device=real.device, dtype=real.dtype)
    mix = torch.lerp(real, fake.detach().to(real.dtype), share)
    # The root has no finite gradient at 0: the smallest normal number keeps it finite and changes no other value.
    norm = (squared_norm(input_gradient(discriminator, mix)) + torch.finfo(torch.float32).tiny).sqrt()
    return (norm - 1).square()


@dataclass(frozen=True)
class Regulariser:
    """gradient: it differentiates D at its input, which batch norm in D turns into the gradient of a sum."""

    penalty: Callable[[Discriminator, Tensor, Tensor, torch.Generator], Tensor]
    gradient: bool = True


REGULARISERS: dict[str, Regulariser] = {"r1": Regulariser(r1), "wgan_gp": Regulariser(wgan_gp)}
