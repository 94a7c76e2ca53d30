import math

import pytest
import torch

from pipeline.data import mixtures
from pipeline.metrics.modes import mode_metrics, projected, reverse_kl_noise_floor, sliced_wasserstein

SAMPLES = 2500


@pytest.mark.parametrize("name", ["ring8", "grid25"])
def test_a_perfect_sampler_is_at_the_noise_floor(name: str) -> None:
    means, sigma = mixtures.means(name), mixtures.SIGMA[name]
    found = [mode_metrics(mixtures.draw(name, SAMPLES, seed), means, sigma) for seed in range(100)]
    modes = len(means)
    assert all(one["modes"] == modes for one in found)
    # within 3 sigma of a 2-D Gaussian lie 1 - exp(-9/2) of it
    quality = sum(one["high_quality"] for one in found) / 100
    assert quality == pytest.approx(1 - math.exp(-4.5), abs=4 * math.sqrt(0.011 / SAMPLES / 100))
    # 2N KL is about chi-squared with K - 1 degrees of freedom: its standard deviation is sqrt(2 (K - 1)) / 2N
    mean = sum(one["reverse_kl"] for one in found) / 100
    floor = reverse_kl_noise_floor(modes, SAMPLES)
    assert mean == pytest.approx(floor, abs=4 * math.sqrt(2 * (modes - 1)) / (2 * SAMPLES) / 10 + 0.02 * floor)


def test_the_noise_floors_of_the_facts() -> None:
    assert reverse_kl_noise_floor(25, 2500) == pytest.approx(0.0048)
    assert reverse_kl_noise_floor(8, 2500) == pytest.approx(0.0014)


def test_one_mode_alone() -> None:
    means = mixtures.means("ring8")
    found = mode_metrics(means[:1].expand(SAMPLES, 2), means, 0.01)
    assert found == {"modes": 1, "high_quality": 1, "reverse_kl": pytest.approx(math.log(8))}


def test_half_the_modes_and_half_the_quality() -> None:
    means = mixtures.means("ring8")
    points = torch.cat([means[::2].repeat(10, 1), torch.full((40, 2), 5.0)])
    found = mode_metrics(points, means, 0.01)
    assert found == {"modes": 4, "high_quality": 0.5, "reverse_kl": pytest.approx(math.log(2))}


def test_three_sigma_is_the_edge_of_quality() -> None:
    means = mixtures.means("grid25")
    inside, outside = means + torch.tensor([0.149, 0.0]), means + torch.tensor([0.151, 0.0])
    assert mode_metrics(inside, means, 0.05)["high_quality"] == 1
    assert mode_metrics(outside, means, 0.05)["high_quality"] == 0


def test_no_point_near_a_mode_is_the_worst_and_finite() -> None:
    found = mode_metrics(torch.zeros(100, 2), mixtures.means("ring8"), 0.01)
    assert found == {"modes": 0, "high_quality": 0, "reverse_kl": pytest.approx(math.log(8))}


def test_what_is_not_finite_is_nan() -> None:
    points = mixtures.draw("ring8", 100, 0)
    reals = projected(points)
    points[3, 0] = math.nan
    assert all(math.isnan(value) for value in mode_metrics(points, mixtures.means("ring8"), 0.01).values())
    assert math.isnan(sliced_wasserstein(reals, points))


def test_sliced_wasserstein_of_a_shift() -> None:
    """A shift by v moves the projection on a direction by its part of v: the mean square over directions is |v|^2/2."""
    points = mixtures.draw("grid25", 500, 0)
    assert sliced_wasserstein(projected(points), points) == pytest.approx(0, abs=1e-12)
    shifted = points + torch.tensor([3.0, 4.0])
    assert sliced_wasserstein(projected(points), shifted) == pytest.approx(5 / math.sqrt(2), rel=1e-6)


@pytest.mark.parametrize("dimensions", [1, 3, 50])
def test_sliced_wasserstein_of_a_shift_in_any_number_of_dimensions(dimensions: int) -> None:
    """|v|^2 / D in expectation over the directions: of the 256, whose mean is near it."""
    points = torch.randn(500, dimensions, generator=torch.Generator().manual_seed(1))
    shifted = points + 3.0
    assert sliced_wasserstein(projected(points), points) == pytest.approx(0, abs=1e-12)
    assert sliced_wasserstein(projected(points), shifted) == pytest.approx(3.0, rel=0.15)


def test_sliced_wasserstein_wants_as_many_fakes_as_reals() -> None:
    with pytest.raises(ValueError, match="500 reals and 400 fakes"):
        sliced_wasserstein(projected(mixtures.draw("ring8", 500, 0)), mixtures.draw("ring8", 400, 1))
