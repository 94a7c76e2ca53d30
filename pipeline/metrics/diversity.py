"""How varied the samples are, beside real ones."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.metrics.distances import mean_distance

AT_A_TIME = 3 * 64 * 64  # values of each sample


def diversity_ratio(real_distance: float, fakes: Tensor) -> float:
    """The mean pairwise distance of fake features (N, D) over that of reals: 1 is as varied, 0 all the same."""
    return mean_distance(fakes) / real_distance


def variance(samples: Tensor) -> float:
    """The variance over the batch of each pixel or coordinate, averaged over them, of samples (N, ...)."""
    parts = samples.flatten(1).split(AT_A_TIME, 1)  # of 256 x 256 pixels all in float64 would be gigabytes
    return float(torch.cat([part.double().var(0) for part in parts]).mean())
