"""The latent space: truncation, and the ways through it."""

import math

import pytest
import torch

from pipeline.games import latent


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("limit", [0.5, 1.0, 2.0])
def test_truncated_latents_are_a_normal_within_the_limit(limit: float) -> None:
    """Its variance is 1 - 2 t phi(t) / (2 Phi(t) - 1)."""
    z = latent.truncated(100, 2000, seeded(), limit)
    density = math.exp(-(limit**2) / 2) / math.sqrt(2 * math.pi)
    variance = 1 - 2 * limit * density / math.erf(limit / math.sqrt(2))
    assert z.abs().max() <= limit
    assert z.abs().max() > 0.99 * limit
    assert float(z.var()) == pytest.approx(variance, rel=0.01)
    assert float(z.mean()) == pytest.approx(0, abs=0.01)


def test_a_spherical_way_turns_evenly_and_keeps_the_norm() -> None:
    start, end = torch.tensor([2.0, 0.0, 0.0]), torch.tensor([0.0, 2.0, 0.0])
    way = latent.spherical(start, end, torch.linspace(0, 1, 5)[:, None])
    angles = torch.arange(5) * math.pi / 8
    expected = 2 * torch.stack([angles.cos(), angles.sin(), torch.zeros(5)], 1)
    torch.testing.assert_close(way, expected)


def test_a_linear_way_is_straight() -> None:
    start, end = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 3.0])
    way = latent.linear(start, end, torch.linspace(0, 1, 3)[:, None])
    torch.testing.assert_close(way, torch.tensor([[1.0, 0.0], [0.5, 1.5], [0.0, 3.0]]))


@pytest.mark.parametrize("factor", [1.0, -1.0, 3.0])
def test_a_spherical_way_between_one_direction_is_straight(factor: float) -> None:
    start, share = torch.tensor([1.0, 2.0]), torch.linspace(0, 1, 4)[:, None]
    torch.testing.assert_close(
        latent.spherical(start, factor * start, share), latent.linear(start, factor * start, share)
    )


@pytest.mark.parametrize("path", latent.PATHS)
def test_a_strip_goes_from_one_end_to_the_other(path: str) -> None:
    ends = torch.randn(3, 2, 8, generator=seeded())
    found = latent.strips(ends, 5, path).view(3, 5, 8)
    torch.testing.assert_close(found[:, [0, -1]], ends)
