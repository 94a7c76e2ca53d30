"""The latent distributions."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.spec.trial import LatentSpec


def draw(spec: LatentSpec, count: int, randomness: torch.Generator) -> Tensor:
    """(count, size) on the generator's device: N(0, 1), or uniform on [-1, 1)."""
    shape, device = (count, spec.size), randomness.device
    if spec.distribution == "gaussian":
        return torch.randn(shape, generator=randomness, device=device)
    return torch.rand(shape, generator=randomness, device=device) * 2 - 1
