"""The two 2-D Gaussian mixtures of PacGAN (Lin et al. 2018, section 4.1)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.data.dataset import HELD_OUT, SPLIT_SEED, Dataset, assembled, facts_of
from pipeline.schema.trial import DataSpec

SIGMA = {"ring8": 0.01, "grid25": 0.05}


def opened(spec: DataSpec, root: Path | None, cache: Path) -> Dataset:
    """100k points to train on, as PacGAN; 10k for each other part, drawn with seeds of their own."""
    counts = {"train": 100_000, "validation": HELD_OUT, "test": HELD_OUT}
    parts = {part: draw(spec.name, count, SPLIT_SEED + at) for at, (part, count) in enumerate(counts.items())}
    return assembled(spec, (parts, facts_of(parts) | {"kind": "points"}), means(spec.name), SIGMA[spec.name])


def means(name: str) -> Tensor:
    """(modes, 2) float32: 8 on the unit circle, or the 25 of {-4, -2, 0, 2, 4} squared."""
    if name == "ring8":
        angles = torch.arange(8, dtype=torch.float64) * (2 * math.pi / 8)
        return torch.stack([angles.cos(), angles.sin()], 1).float()
    side = torch.tensor([-4.0, -2.0, 0.0, 2.0, 4.0])
    return torch.cartesian_prod(side, side)


def draw(name: str, count: int, seed: int) -> Tensor:
    """(count, 2) float32 points, every mode equally likely; numpy promises RandomState's stream for ever."""
    random = np.random.RandomState(seed)
    centres = means(name).numpy()
    chosen = random.randint(len(centres), size=count)
    points = centres[chosen] + SIGMA[name] * random.standard_normal((count, 2))
    return torch.from_numpy(points.astype(np.float32))
