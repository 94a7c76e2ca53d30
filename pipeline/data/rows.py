"""Samples that need not be in memory all at once: what they are put into, and rows of them in another order.

What is read again of a cache is mapped into memory as it is (safetensors does it): the system keeps in memory what is
used, for all processes of a machine once, and lets go of it where memory is wanted. So what has to be bounded is how
a cache is made, and what is pinned for a GPU.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from torch import Tensor

SHARE = 0.25  # of the memory that is free, which one copy of the samples may take
CHUNK = 2**26  # bytes that are taken at a time
LIMITS = Path("/sys/fs/cgroup")  # of a container: what it may use of the machine's memory, and what it uses


def fits(size: int) -> bool:
    """Whether so many bytes may be in this process's own memory."""
    return size <= SHARE * free()


def free() -> int:
    """Bytes of memory that this machine, or the container that this runs in, has left."""
    available = int(psutil.virtual_memory().available)
    try:
        most, used = ((LIMITS / name).read_text().strip() for name in ("memory.max", "memory.current"))
        return available if most == "max" else min(available, int(most) - int(used))
    except (OSError, ValueError):  # no container, or one of the former kind, which says it elsewhere
        return available


def room(shape: tuple[int, ...], folder: Path | None) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Bytes of a shape: in memory where they fit (None: always), else in a file of `folder` that has no name and is
    gone with them."""
    if folder is None or fits(int(np.prod(shape))):
        return np.empty(shape, np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.memmap(file, np.uint8, "w+", shape=shape)


@dataclass(frozen=True)
class Rows:
    """Rows of a tensor in the order of `index`, not yet taken."""

    of: Tensor
    index: Tensor

    def __len__(self) -> int:
        return len(self.index)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self.of.shape[1:])

    @property
    def dtype(self) -> torch.dtype:
        return self.of.dtype


Kept = Tensor | Rows


def chunks(samples: Kept) -> Iterator[Tensor]:
    """All rows in their order, contiguous, so many at a time as bound the memory."""
    if isinstance(samples, Tensor):
        yield samples.contiguous()
        return
    row = max(1, samples.of[:1].numel() * samples.of.element_size())
    for index in samples.index.split(max(1, CHUNK // row)):
        yield samples.of[index].contiguous()


def whole(samples: Kept) -> Tensor:
    """All rows in memory."""
    return samples if isinstance(samples, Tensor) else samples.of[samples.index]
