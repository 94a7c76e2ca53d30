"""Stacked MNIST (Metz et al. 2017, as in Srivastava et al. 2017): three random digits as channels, 1,000 modes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.data.dataset import SPLIT_SEED, Dataset, assembled, load
from pipeline.schema.trial import DataSpec

NAME, OF = "stacked_mnist", "mnist"  # the set, and the digits that it is made of
CHANNELS, DIGITS = 3, 10
MODES = DIGITS**CHANNELS
COUNTS = {"train": 128_000, "validation": 26_000, "test": 26_000}  # to train on and to compare with, as VEEGAN


def opened(spec: DataSpec, root: Path | None, cache: Path) -> Dataset:
    """Each part of the digits of the same part: drawn anew each time, which is quicker than to read them."""
    digits = load(spec.model_copy(update={"name": OF}), root, cache)
    tensors: dict[str, Tensor] = {}
    for at, (part, count) in enumerate(COUNTS.items()):
        labels: Tensor = getattr(digits, f"{part}_labels")
        tensors[part], tensors[f"{part}_labels"] = draw(digits.part(part), labels, count, SPLIT_SEED + at)
    made = f"{digits.fingerprint} {COUNTS} {SPLIT_SEED}"  # they decide it, and there is less to hash
    facts = {"fingerprint": hashlib.sha256(made.encode()).hexdigest()[:16]}
    whole = assembled(DataSpec(name=NAME, resolution=digits.resolution), (tensors, facts))
    return replace(whole, classes=MODES, modes=MODES)


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
