"""What is measured through a kernel of features: the kernel distance of two sets, and how many kinds one set holds."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def kernel(one: Tensor, other: Tensor) -> Tensor:
    """(x.y / D + 1)^3 for all pairs of rows of (N, D) and (M, D)."""
    return (one @ other.T / one.shape[1] + 1) ** 3


def kernel_within(rows: Tensor) -> float:
    """The kernel's mean over all pairs of two different rows (N, D). ValueError for fewer than two."""
    if len(rows) < 2:
        raise ValueError(f"{len(rows)} features; a kernel distance needs two")
    values = kernel(rows.double(), rows.double())
    return float((values.sum() - values.diagonal().sum()) / (len(rows) * (len(rows) - 1)))


def kernel_distance(real: Tensor, fakes: Tensor, of_real: float | None = None) -> float:
    """KID: the squared maximum mean discrepancy with the kernel (x.y / D + 1)^3 between features (N, D) and (M, D),
    the unbiased estimate (Binkowski et al. 2018, section 3 and eq. 4); it may be below 0. of_real: kernel_within(real),
    where it is at hand. nan where a feature is not finite. ValueError for fewer than two rows."""
    if not bool(fakes.isfinite().all()):
        return math.nan
    of_real = kernel_within(real) if of_real is None else of_real
    return of_real + kernel_within(fakes) - 2 * float(kernel(real.double(), fakes.double()).mean())


def vendi_score(features: Tensor) -> float:
    """How many kinds there are among features (N, D): the exponential of the entropy of the eigenvalues of K / N, K the
    cosine similarities of all pairs (Friedman and Dieng 2023, eq. 3): 1 where all are the same, N where all are
    orthogonal. A feature of length 0 is similar to itself alone. nan where one is not finite."""
    if not bool(features.isfinite().all()):
        return math.nan
    features = features.double()
    lengths = features.norm(dim=1, keepdim=True)
    unit = torch.where(lengths > 0, features / lengths, 0.0)
    gram = unit.T @ unit if unit.shape[1] < len(unit) else unit @ unit.T  # both have the eigenvalues that are not 0
    values = torch.linalg.eigvalsh(gram / len(unit)).clamp(min=0)
    alone = int((lengths == 0).sum())
    shares = torch.cat([values, torch.full((alone,), 1 / len(unit), dtype=torch.float64)])
    shares = shares[shares > 0]
    return float((-(shares * shares.log()).sum()).exp())
