"""Points, and rows of tables: float32 (N, D); a table is standardised, see data/columns.py."""

from __future__ import annotations

import torch
from torch import Tensor

MEASURE = "pipeline.metrics.of_points:PointMeasure"
EVALUATED = 2500  # samples at an evaluation where the spec leaves it open, as PacGAN
RETURNED = "points (N, D) float"


def takes(samples: Tensor) -> bool:
    """Whether what a function returned is of this kind."""
    return samples.dim() == 2 and samples.shape[1] > 0 and samples.is_floating_point()


def kept(samples: Tensor) -> Tensor:
    """In float64, which standardising them wants."""
    return samples.double()


def notes(samples: Tensor) -> tuple[str, ...]:
    return ()


def laid_out(samples: Tensor, memory_format: torch.memory_format) -> Tensor:
    return samples


def pictured(samples: Tensor) -> Tensor:
    """What a picture is made of, images or points: a scatter of them."""
    return samples


def resized(samples: Tensor, resolution: int) -> Tensor:
    return samples
