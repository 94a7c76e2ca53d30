"""How modes that are known are hit by generated samples: of a mixture, or told by a classifier."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pipeline.metrics.distances import squared_distances

SIGMAS = 3.0
PROJECTIONS = 64  # of the plane; of more dimensions four times as many


def mode_metrics(points: Tensor, means: Tensor, sigma: float) -> dict[str, float]:
    """modes, high_quality and reverse_kl of points (N, 2) against the means (K, 2), as PacGAN counts them (Lin et al.
    2018, section 4.1); all nan where one is not finite.

    A point is of high quality within 3 sigma of its nearest mean; a mode is found with at least one such point;
    reverse_kl: KL(shares of the high-quality points by mode || 1/K), and log K, its largest value, where there is no
    such point.
    """
    if not bool(points.isfinite().all()):
        return dict.fromkeys(("modes", "high_quality", "reverse_kl"), math.nan)
    counts = torch.zeros(len(means), dtype=torch.float64)
    for _, squares in squared_distances(points, means):
        nearest, index = squares.min(1)
        counts += torch.bincount(index[nearest < (SIGMAS * sigma) ** 2], minlength=len(means))
    return {**_hit(counts), "high_quality": float(counts.sum()) / len(points)}


def label_metrics(labels: Tensor, modes: int) -> dict[str, float]:
    """modes and reverse_kl of samples by the mode that a classifier takes each for, (N,) int64 (Metz et al. 2017)."""
    return _hit(torch.bincount(labels, minlength=modes).double())


def _hit(counts: Tensor) -> dict[str, float]:
    """modes: with a sample; reverse_kl: KL(shares || 1/K), in nats, of the samples by mode, counts (K,)."""
    total, among = float(counts.sum()), len(counts)
    shares = counts[counts > 0] / total
    divergence = float((shares * (shares * among).log()).sum()) if total else math.log(among)
    return {"modes": float((counts > 0).sum()), "reverse_kl": divergence}


def reverse_kl_noise_floor(modes: int, samples: int) -> float:
    """About what a perfect sampler still has with that many samples: (K - 1) / (2N)."""
    return (modes - 1) / (2 * samples)


def projected(points: Tensor) -> Tensor:
    """(N, P) float64: points (N, D) on P fixed directions, each sorted: in the plane 64, evenly spread over the half
    circle; else 256 that are drawn once and for all, uniform on the sphere."""
    return (points.double() @ _directions(points.shape[1])).sort(0).values


def _directions(dimensions: int) -> Tensor:
    """Unit vectors (D, P)."""
    if dimensions == 2:
        angles = torch.arange(PROJECTIONS, dtype=torch.float64) * (math.pi / PROJECTIONS)
        return torch.stack([angles.cos(), angles.sin()])
    drawn = torch.randn(dimensions, 4 * PROJECTIONS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    lengths: Tensor = drawn.square().sum(0).sqrt()
    return drawn / lengths


def sliced_wasserstein_with_error(real: Tensor, fakes: Tensor) -> tuple[float, float]:
    """sliced_wasserstein(), and its standard error over redraws of the fakes, the reals being what they are.

    By the delta method: on a line the squared distance moves with a sample by its potential, whose slope is 2 (x - T x)
    for the map T that carries fakes into reals (Santambrogio 2015, prop. 7.17); the mean over all projections.
    """
    _check(real, fakes)
    if not bool(fakes.isfinite().all()):
        return math.nan, math.nan
    placed, order = (fakes.double() @ _directions(fakes.shape[1])).sort(0)
    moved = placed - real
    distance = float(moved.square().mean().sqrt())
    steps = (moved[1:] + moved[:-1]) * (placed[1:] - placed[:-1])
    potential = torch.cat([torch.zeros_like(moved[:1]), steps.cumsum(0)])
    of_sample = torch.zeros_like(potential).scatter_(0, order, potential - potential.mean(0)).mean(1)
    return distance, float(of_sample.std()) / math.sqrt(len(fakes)) / (2 * distance) if distance else 0.0


def sliced_wasserstein(real: Tensor, fakes: Tensor) -> float:
    """The sliced 2-Wasserstein distance (Rabin et al. 2011) between reals, as projected() gave, and fakes (N, D) of
    the same number; nan where one is not finite."""
    _check(real, fakes)
    if not bool(fakes.isfinite().all()):
        return math.nan  # sorting would hide it
    return float((real - projected(fakes)).square().mean().sqrt())


def _check(real: Tensor, fakes: Tensor) -> None:
    if len(real) != len(fakes):
        raise ValueError(f"{len(real)} reals and {len(fakes)} fakes; their numbers must be equal")
