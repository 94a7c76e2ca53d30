"""The latent distributions, and ways through the latent space."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.schema.trial import LatentSpec


def draw(spec: LatentSpec, count: int, randomness: torch.Generator) -> Tensor:
    """(count, size) on the generator's device: N(0, 1), or uniform on [-1, 1)."""
    shape, device = (count, spec.size), randomness.device
    if spec.distribution == "gaussian":
        return torch.randn(shape, generator=randomness, device=device)
    return torch.rand(shape, generator=randomness, device=device) * 2 - 1


def truncated(size: int, count: int, randomness: torch.Generator, limit: float) -> Tensor:
    """(count, size) of N(0, 1) given that it is in [-limit, limit] (the truncation trick, Brock et al. 2019)."""
    normal = torch.distributions.Normal(0.0, 1.0)
    low = normal.cdf(torch.tensor(-limit, dtype=torch.float64))
    uniform = torch.rand((count, size), generator=randomness, device=randomness.device, dtype=torch.float64)
    z: Tensor = normal.icdf(low + (1 - 2 * low) * uniform)
    return z.clamp(-limit, limit).float()


def linear(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """(1 - share) start + share end; share (steps, 1) of latents (size,)."""
    return torch.lerp(start, end, share)


def spherical(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """Along the great circle between the two directions (Shoemake 1985; for latents White 2016), which keeps the
    norm that a Gaussian latent of many dimensions has; linear where they are one direction or opposite."""
    cosine = torch.dot(start, end) / (start.norm() * end.norm())
    angle = cosine.clamp(-1, 1).acos()
    if float(angle.sin()) < 1e-6:
        return linear(start, end, share)
    between: Tensor = ((1 - share) * angle).sin() * start + (share * angle).sin() * end
    way: Tensor = between / angle.sin()
    return way


PATHS = {"spherical": spherical, "linear": linear}


def strips(ends: Tensor, steps: int, path: str) -> Tensor:
    """(strips * steps, size): from each pair of `ends` (strips, 2, size) one way of `steps` latents, both included."""
    share = torch.linspace(0, 1, steps, device=ends.device)[:, None]
    return torch.cat([PATHS[path](start, end, share) for start, end in ends])
