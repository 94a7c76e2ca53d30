"""The kernel distance and the number of kinds, against torchmetrics and closed forms on the same features."""

import math

import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity
from torch import Tensor

from pipeline.metrics.kernels import kernel_distance, kernel_within, vendi_score


def features(count: int, width: int, seed: int) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("count", "width"), [(200, 16), (30, 64), (2, 5)])
def test_kid_agrees_with_torchmetrics(count: int, width: int) -> None:
    from torchmetrics.image.kid import poly_mmd

    real, fakes = features(count, width, 0), 0.8 * features(count, width, 1) + 0.3
    found = kernel_distance(real, fakes)
    assert found == pytest.approx(float(poly_mmd(real, fakes)), rel=1e-9)
    assert kernel_distance(real, fakes, kernel_within(real)) == found


def test_kid_is_unbiased() -> None:
    draws = [kernel_distance(features(50, 8, 2 * at), features(50, 8, 2 * at + 1)) for at in range(300)]
    mean, error = torch.tensor(draws).mean(), torch.tensor(draws).std() / math.sqrt(300)
    assert abs(float(mean)) < 3 * float(error)


def test_kid_wants_two_and_hides_no_nan() -> None:
    with pytest.raises(ValueError, match="1 features; a kernel distance needs two"):
        kernel_distance(features(9, 3, 0), features(1, 3, 1))
    fakes = features(9, 3, 1)
    fakes[4, 1] = math.nan
    assert math.isnan(kernel_distance(features(9, 3, 0), fakes))
    assert math.isnan(vendi_score(fakes))


@pytest.mark.parametrize("kinds", [1, 2, 5])
def test_vendi_counts_kinds_that_are_orthogonal(kinds: int) -> None:
    assert vendi_score(torch.eye(8)[torch.arange(40) % kinds]) == pytest.approx(kinds)
    assert vendi_score(3.0 * torch.eye(8)[torch.arange(40) % kinds]) == pytest.approx(kinds)


@pytest.mark.parametrize(("count", "width"), [(50, 8), (8, 50)])
def test_vendi_is_its_definition(count: int, width: int) -> None:
    found = features(count, width, 3)
    values = torch.linalg.eigvalsh(torch.from_numpy(cosine_similarity(found.numpy())) / count).clamp(min=1e-300)
    assert vendi_score(found) == pytest.approx(float((-(values * values.log()).sum()).exp()), rel=1e-6)


def test_a_feature_of_length_0_is_like_itself_alone() -> None:
    assert vendi_score(torch.zeros(4, 3)) == pytest.approx(4.0)
