import math

import numpy as np
import pytest
import torch

from pipeline.metrics.distances import CHUNK, mean_distance, neighbour_radii
from pipeline.metrics.diversity import diversity_ratio, variance
from pipeline.metrics.manifold import manifold_metrics, real_manifold


def literal(real: np.ndarray, fakes: np.ndarray) -> dict[str, float]:
    """The definitions of the two papers, written out."""

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.sqrt(((a - b) ** 2).sum()))

    def radius(points: np.ndarray, i: int, k: int) -> float:
        return sorted(distance(points[i], other) for j, other in enumerate(points) if j != i)[k - 1]

    real3, real5 = ([radius(real, i, k) for i in range(len(real))] for k in (3, 5))
    fake3 = [radius(fakes, j, 3) for j in range(len(fakes))]
    held = [[distance(f, r) <= real5[i] for i, r in enumerate(real)] for f in fakes]
    return {
        "precision": float(np.mean([any(distance(f, r) <= real3[i] for i, r in enumerate(real)) for f in fakes])),
        "recall": float(np.mean([any(distance(f, r) <= fake3[j] for j, f in enumerate(fakes)) for r in real])),
        "density": float(np.sum(held) / (5 * len(fakes))),
        "coverage": float(np.mean(np.any(held, axis=0))),
    }


@pytest.mark.parametrize("shift", [0.0, 1.0, 4.0])
def test_agrees_with_the_definitions(shift: float) -> None:
    random = np.random.RandomState(0)
    real, fakes = random.randn(40, 3), random.randn(30, 3) * 0.7 + shift
    found = manifold_metrics(real_manifold(torch.from_numpy(real)), torch.from_numpy(fakes))
    assert found == pytest.approx(literal(real, fakes), abs=1e-12)


def test_chunks_change_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(CHUNK + 100, 4, generator=generator, dtype=torch.float64)
    distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    count = len(points)
    assert mean_distance(points) == pytest.approx(float(distances.sum()) / (count * (count - 1)), rel=1e-9)
    expected = distances.fill_diagonal_(math.inf).topk(5, largest=False).values[:, -1]
    torch.testing.assert_close(neighbour_radii(points, 5).sqrt(), expected)


def test_the_real_data_themselves_score_full() -> None:
    points = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    found = manifold_metrics(real_manifold(points), points)
    assert (found["precision"], found["recall"], found["coverage"]) == (1, 1, 1)
    assert found["density"] == pytest.approx(6 / 5, abs=0.01)  # its own ball, and on average 5 others, at their edge


def test_a_collapsed_generator_has_no_coverage_and_no_diversity() -> None:
    points = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    same = points[:1].expand(200, 4)
    found = manifold_metrics(real_manifold(points), same)
    assert found["precision"] == 1
    assert found["coverage"] < 0.1
    assert found["recall"] <= 1 / 200
    assert diversity_ratio(mean_distance(points), same) < 1e-6
    assert variance(same) == pytest.approx(0, abs=1e-12)


def test_what_is_not_finite_is_nan() -> None:
    points = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    bad = points.clone()
    bad[7, 1] = math.nan
    assert all(math.isnan(value) for value in manifold_metrics(real_manifold(points), bad).values())


def test_too_few_points_are_an_error() -> None:
    with pytest.raises(ValueError, match="5 points have no 5-th neighbour"):
        neighbour_radii(torch.randn(5, 2), 5)
