"""Stacked MNIST (Metz et al. 2017, as in Srivastava et al. 2017): three random digits as channels, 1,000 modes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

NAME, OF = "stacked_mnist", "mnist"  # the set, and the digits that it is made of
CHANNELS, DIGITS = 3, 10
MODES = DIGITS**CHANNELS
COUNTS = {"train": 128_000, "validation": 26_000, "test": 26_000}  # to train on and to compare with, as VEEGAN


def draw(digits: Tensor, labels: Tensor, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """(count, 3, R, R) uint8 of digits (N, 1, R, R), each drawn on its own with replacement, and the modes (count,)
    int64, the three digits read as a number; numpy promises RandomState's stream for ever."""
    index = torch.from_numpy(np.random.RandomState(seed).randint(len(digits), size=(count, CHANNELS)))
    stacks = digits[:, 0].index_select(0, index.flatten()).unflatten(0, (count, CHANNELS))
    return stacks, mode_of(labels[index])


def mode_of(digits: Tensor) -> Tensor:
    """(N, 3) digits -> (N,) modes, 0 to 999."""
    return digits @ torch.tensor([DIGITS**place for place in reversed(range(CHANNELS))], device=digits.device)


def digits_of(modes: Tensor) -> Tensor:
    """(N,) modes -> (N, 3) digits."""
    return torch.stack([modes // DIGITS**place % DIGITS for place in reversed(range(CHANNELS))], 1)
