"""Pairwise distances between sets of features, in chunks so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

CHUNK = 1024
TRIANGLE = 256  # rows of a chunk where each pair is looked at once; not more than CHUNK


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
    points, count, total = points.double(), len(points), 0.0
    for start in range(0, count, TRIANGLE):  # each pair once: those of a chunk with itself and with what follows
        chunk = points[start : start + TRIANGLE]
        ((_, squares),) = squared_distances(chunk, points[start:])
        distances = squares.sqrt_()
        total += 2 * float(distances.sum()) - float(distances[:, : len(chunk)].sum())
    return total / (count * (count - 1))
