"""How the sets of real and fake features overlap: precision and recall, density and coverage."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.metrics.distances import neighbour_radii, squared_distances

PRECISION_RECALL_K = 3  # Kynkäänniemi et al. 2019, section 3
DENSITY_COVERAGE_K = 5  # Naeem et al. 2020, section 4
LARGE = 10  # real samples of a class, from which on its coverage says something


@dataclass(frozen=True)
class Manifold:
    """Real features (N, D) with the squared distances to their 3rd and 5th nearest neighbours."""

    features: Tensor
    radii3: Tensor
    radii5: Tensor
    labels: Tensor | None = None  # (N,)


def real_manifold(features: Tensor, labels: Tensor | None = None) -> Manifold:
    """What the real side brings to every comparison with it."""
    return Manifold(
        features.double(),
        neighbour_radii(features, PRECISION_RECALL_K),
        neighbour_radii(features, DENSITY_COVERAGE_K),
        labels,
    )


def manifold_metrics(real: Manifold, fakes: Tensor) -> dict[str, float]:
    """precision, recall, density and coverage of fake features (M, D); all nan where one is not finite.

    precision, recall: the share of fakes within some real's ball of its 3rd neighbour, and of reals within some
    fake's (Kynkäänniemi et al. 2019, eq. 1 and 2). density: the mean number of reals' balls of the 5th neighbour
    that hold a fake, over 5; coverage: the share of reals whose ball holds a fake (Naeem et al. 2020, eq. 3 and 4).
    worst_class_coverage, where the reals have labels: the coverage of the class of at least 10 of them whose coverage
    is least.
    """
    names = ["precision", "recall", "density", "coverage"]
    by_class = _large_classes(real)
    names += ["worst_class_coverage"] if by_class else []
    if not bool(fakes.isfinite().all()):
        return dict.fromkeys(names, math.nan)
    fake_radii = neighbour_radii(fakes, PRECISION_RECALL_K)
    reals = len(real.features)
    precise, inside = 0, 0
    recalled = torch.zeros(reals, dtype=torch.bool)
    covered = torch.zeros(reals, dtype=torch.bool)
    for at, squares in squared_distances(fakes, real.features):
        precise += int((squares <= real.radii3).any(1).sum())
        recalled |= (squares <= fake_radii[at, None]).any(0)
        held = squares <= real.radii5
        inside += int(held.sum())
        covered |= held.any(0)
    values = [
        precise / len(fakes),
        float(recalled.double().mean()),
        inside / (DENSITY_COVERAGE_K * len(fakes)),
        float(covered.double().mean()),
    ]
    if by_class:
        assert real.labels is not None
        values.append(min(float(covered[real.labels == each].double().mean()) for each in by_class))
    return dict(zip(names, values, strict=True))


def _large_classes(real: Manifold) -> list[int]:
    """The classes whose coverage says something."""
    if real.labels is None:
        return []
    return [at for at, count in enumerate(torch.bincount(real.labels).tolist()) if count >= LARGE]
