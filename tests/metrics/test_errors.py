"""Standard errors of distances cover: over 200 redraws of a generator's samples the mean is within two of them."""

import math

import pytest
import torch
from torch import Tensor

from pipeline.data import mixtures
from pipeline.metrics.frechet import frechet_distance, frechet_error, real_moments
from pipeline.metrics.modes import projected, sliced_wasserstein, sliced_wasserstein_with_error

REDRAWS = 200


def covered(values: list[float], errors: list[float]) -> float:
    mean = sum(values) / len(values)
    return sum(abs(value - mean) < 2 * error for value, error in zip(values, errors, strict=True)) / len(values)


def skewed(count: int, width: int, seed: int) -> Tensor:
    """Features as a rectifier gives them, in clusters: nothing like a Gaussian."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=torch.Generator().manual_seed(99))
    centres = 2 * torch.randn(6, width, generator=torch.Generator().manual_seed(98))
    chosen = torch.randint(6, (count,), generator=generator)
    return (torch.randn(count, width, generator=generator) @ mixing / 4 + centres[chosen]).relu()


@pytest.mark.parametrize(("count", "shift"), [(360, 0.3), (360, 2.0), (1500, 0.3)])
def test_the_error_of_fid_covers(count: int, shift: float) -> None:
    real = real_moments(skewed(2000, 32, 0))
    draws = [0.9 * skewed(count, 32, seed) + shift for seed in range(1, REDRAWS + 1)]
    values, errors = [frechet_distance(real, each) for each in draws], [frechet_error(real, each) for each in draws]
    assert covered(values, errors) >= 0.9
    spread = torch.tensor(values).std()
    assert 0.75 < sum(errors) / REDRAWS / float(spread) < 1.35


def test_the_error_of_the_sliced_wasserstein_distance_covers() -> None:
    real = projected(mixtures.draw("ring8", 1000, 0))
    draws = [mixtures.draw("ring8", 1000, seed) * 1.1 + 0.2 for seed in range(1, REDRAWS + 1)]
    values, errors = map(list, zip(*(sliced_wasserstein_with_error(real, each) for each in draws), strict=True))
    assert values[0] == pytest.approx(sliced_wasserstein(real, draws[0]), rel=1e-12)
    assert covered(values, errors) >= 0.9
    assert 0.75 < sum(errors) / REDRAWS / float(torch.tensor(values).std()) < 1.35


def test_errors_of_what_is_not_finite_are_nan_and_of_constants_none() -> None:
    real, fakes = skewed(200, 8, 0), skewed(50, 8, 1)
    fakes[3, 2] = math.nan
    assert math.isnan(frechet_error(real_moments(real), fakes))
    assert frechet_error(real_moments(real), torch.ones(50, 8)) == pytest.approx(0.0, abs=1e-9)
    points = mixtures.draw("ring8", 100, 0)
    assert sliced_wasserstein_with_error(projected(points), points) == (0.0, 0.0)
    assert math.isnan(sliced_wasserstein_with_error(projected(points), points * math.nan)[1])
