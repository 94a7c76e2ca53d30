"""Path-length regularisation (Karras et al. 2020, sec. 3.2): steps of a style change images by a fixed length."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from pipeline.schema.parts import PathLengthSpec
from pipeline.schema.schedule import value_at

STATE = ("mean",)  # the running mean a of the lengths; begins at 0


def lengths(images: Tensor, styles: Tensor, randomness: torch.Generator) -> Tensor:
    """|J_w^T y| of each image, (batch,), differentiable once more: y is of N(0, 1) over the root of the number of
    pixels. styles (batch, count, size): the mean over those of the layers is under the root, as in the published
    code."""
    noise = torch.randn(images.shape, generator=randomness, device=images.device) / math.sqrt(images[0, 0].numel())
    (gradient,) = torch.autograd.grad((images.float() * noise).sum(), styles, create_graph=True)
    # The root has no finite gradient at 0: the smallest normal number keeps it finite and changes no other value.
    return (gradient.float().square().sum(2).mean(1) + torch.finfo(torch.float32).tiny).sqrt()


def penalty(measured: Tensor, state: Mapping[str, Tensor], spec: PathLengthSpec, share: float) -> Tensor:
    """weight * (length - a)^2 of each image, with these lengths in the running mean a, through which they have a
    gradient too, as in the published code. share: of the budget, after which the weight is what it is."""
    return value_at(spec.weight, share) * (measured - _mean(measured.mean(), state, spec)).square()


def advanced(mean: Tensor, state: Mapping[str, Tensor], spec: PathLengthSpec) -> dict[str, Tensor]:
    """The state after a step of such a mean length."""
    return {"mean": _mean(mean, state, spec)}


def _mean(of_step: Tensor, state: Mapping[str, Tensor], spec: PathLengthSpec) -> Tensor:
    return spec.decay * state["mean"] + (1 - spec.decay) * of_step
