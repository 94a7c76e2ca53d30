"""How varied the samples are, beside real ones."""

from __future__ import annotations

from torch import Tensor

from pipeline.metrics.distances import mean_distance


def diversity_ratio(real_distance: float, fakes: Tensor) -> float:
    """The mean pairwise distance of fake features (N, D) over that of reals: 1 is as varied, 0 all the same."""
    return mean_distance(fakes) / real_distance


def variance(samples: Tensor) -> float:
    """The variance over the batch of each pixel or coordinate, averaged over them, of samples (N, ...)."""
    return float(samples.double().var(0).mean())
