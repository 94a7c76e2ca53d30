"""Pairwise distances between sets of features, in chunks so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

CHUNK = 1024


def squared_distances(rows: Tensor, columns: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """(slice of rows, squared Euclidean distances (chunk, M) float64) between rows (N, D) and columns (M, D).

    As |a|^2 + |b|^2 - 2ab, which in float64 is exact to about 1e-15 of the largest norm and fast on one thread.
    """
    rows, columns = rows.double(), columns.double()
    norms = columns.square().sum(1)
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        squares = torch.addmm(norms + chunk.square().sum(1, keepdim=True), chunk, columns.T, alpha=-2)
        yield slice(start, start + len(chunk)), squares.clamp_(min=0)


def neighbour_radii(points: Tensor, k: int) -> Tensor:
    """(N,) squared distance of each of points (N, D) to its k-th nearest other one."""
    if len(points) <= k:
        raise ValueError(f"{len(points)} points have no {k}-th neighbour")
    radii = torch.empty(len(points), dtype=torch.float64)
    for at, squares in squared_distances(points, points):
        squares[torch.arange(len(squares)), torch.arange(at.start, at.stop)] = torch.inf  # not its own neighbour
        radii[at] = squares.topk(k, dim=1, largest=False).values[:, -1]
    return radii


def mean_distance(points: Tensor) -> float:
    """The mean Euclidean distance over all pairs of two different ones of points (N, D)."""
    count = len(points)
    total = sum(float(squares.sqrt().sum()) for _, squares in squared_distances(points, points))
    return total / (count * (count - 1))
