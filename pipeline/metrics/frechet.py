"""The Fréchet distance between two sets of features, each taken as a Gaussian (Heusel et al. 2017, eq. 6)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

SINGULAR = 1e-10  # of the largest eigenvalue: one below it is 0 but for rounding


@dataclass(frozen=True)
class Moments:
    """mean (D,) and covariance (D, D, unbiased), float64; root: the covariance's symmetric square root."""

    mean: Tensor
    covariance: Tensor
    root: Tensor


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and unbiased covariance in float64 of features (N, D), N at least 2."""
    features = features.double()
    mean = features.mean(0)
    centred = features - mean
    return mean, centred.T @ centred / (len(features) - 1)


def real_moments(features: Tensor) -> Moments:
    """Those of the real side with the square root, which is then taken once for all distances to it."""
    mean, covariance = moments(features)
    values, vectors = torch.linalg.eigh(covariance)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T  # clamp: eigenvalues that are 0 but for rounding
    return Moments(mean, covariance, root)


def frechet_distance(real: Moments, fakes: Tensor) -> float:
    """|m_r - m_f|^2 + tr(C_r + C_f - 2 (C_r C_f)^(1/2)) for features (N, D); nan where one of them is not finite.

    tr (C_r C_f)^(1/2) is the sum of the square roots of the eigenvalues of C_r^(1/2) C_f C_r^(1/2), which is
    symmetric: no matrix square root of a product that is not.
    """
    mean, covariance = moments(fakes)
    if not bool(mean.isfinite().all() and covariance.isfinite().all()):
        return math.nan
    values = torch.linalg.eigvalsh(real.root @ covariance @ real.root)
    cross = values.clamp(min=0).sqrt().sum()  # clamp: as above
    distance = (real.mean - mean).square().sum() + real.covariance.trace() + covariance.trace() - 2 * cross
    return float(distance)


def frechet_error(real: Moments, fakes: Tensor) -> float:
    """The standard error of frechet_distance over redraws of the fakes (N, D), the reals being what they are.

    By the delta method: a sample x moves the distance by 2 (m_f - m_r).(x - m_f) + (x - m_f)' (I - T) (x - m_f) less
    its mean, over N, where T = C_r^(1/2) (C_r^(1/2) C_f C_r^(1/2))^(-1/2) C_r^(1/2) is the linear map that carries the
    fakes' Gaussian into the reals'. It covers as a jackknife of 20 groups does (tests/benchmarks/README.md, Standard
    errors) at the price of one more distance.
    """
    mean, covariance = moments(fakes)
    if not bool(mean.isfinite().all() and covariance.isfinite().all()):
        return math.nan
    values, vectors = torch.linalg.eigh(real.root @ covariance @ real.root)
    inverse = torch.where(values > SINGULAR * values.max(), values.clamp(min=0).rsqrt(), 0.0)
    carried = real.root @ (vectors * inverse) @ vectors.T @ real.root
    centred = fakes.double() - mean
    quadratic = (centred @ (torch.eye(len(mean), dtype=torch.float64) - carried) * centred).sum(1)
    return float((2 * centred @ (mean - real.mean) + quadratic).std() / math.sqrt(len(fakes)))
