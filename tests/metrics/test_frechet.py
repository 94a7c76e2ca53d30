import math

import pytest
import torch
from torch import Tensor

from pipeline.metrics.frechet import frechet_distance, real_moments


def features(count: int, width: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=generator)
    return torch.randn(count, width, generator=generator) @ mixing + torch.randn(width, generator=generator)


@pytest.mark.parametrize(("count", "width"), [(360, 64), (2000, 32), (40, 64)])
def test_agrees_with_torchmetrics_on_the_same_features(count: int, width: int) -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Identity(torch.nn.Module):
        """The 'images' are the features themselves."""

        num_features = width

    network = Identity()
    network.forward = lambda images: images
    real, fakes = features(500, width, 0), features(count, width, 1)
    reference = FrechetInceptionDistance(feature=network).set_dtype(torch.float64)
    reference.update(real.double(), real=True)
    reference.update(fakes.double(), real=False)
    assert frechet_distance(real_moments(real), fakes) == pytest.approx(float(reference.compute()), rel=1e-3)


def test_closed_form_of_gaussians() -> None:
    """For covariances that commute: |m|^2 + sum (s - t)^2 over standard deviations."""
    whitened = torch.linalg.qr(torch.randn(4000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64))[0]
    whitened = whitened - whitened.mean(0)
    whitened = torch.linalg.qr(whitened)[0] * math.sqrt(3999)  # exactly: mean 0, covariance 1
    real = whitened * torch.tensor([1.0, 2.0, 3.0]) + torch.tensor([1.0, 0.0, 0.0])
    fakes = whitened * torch.tensor([2.0, 2.0, 0.5]) + torch.tensor([0.0, 0.0, 2.0])
    assert frechet_distance(real_moments(real), fakes) == pytest.approx(1 + 4 + 1 + 0 + 6.25, rel=1e-9)


def test_no_distance_to_itself_and_symmetric() -> None:
    a, b = features(300, 16, 0), features(300, 16, 1)
    assert frechet_distance(real_moments(a), a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(real_moments(a), b) == pytest.approx(frechet_distance(real_moments(b), a), rel=1e-9)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_is_nan(bad: float) -> None:
    fakes = features(50, 4, 1)
    fakes[3, 2] = bad
    assert math.isnan(frechet_distance(real_moments(features(50, 4, 0)), fakes))


def test_all_the_same_fake_is_finite() -> None:
    real = features(200, 8, 0)
    expected = (real.double().mean(0) - 1).square().sum() + real.double().T.cov().trace()
    assert frechet_distance(real_moments(real), torch.ones(200, 8)) == pytest.approx(float(expected), rel=1e-6)
