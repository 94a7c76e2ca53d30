"""Batches: the training part on the training device, drawn in epochs without replacement."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

SHARE = 0.25  # of a GPU's free memory that the data may take


class Batch(NamedTuple):
    """real: float32 images (B, C, H, W) in [-1, 1], or points (B, 2). labels: int64 (B,) or None."""

    real: Tensor
    labels: Tensor | None


def to_float(images: Tensor) -> Tensor:
    """uint8 0..255 -> float32 -1..1; what is float already stays as it is (points)."""
    return images.float().mul_(2 / 255).sub_(1) if images.dtype == torch.uint8 else images


def to_uint8(images: Tensor) -> Tensor:
    """Float in [-1, 1] -> uint8 0..255; values beyond are cut, as a display would."""
    return images.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)


class Batches:
    """Every sample once an epoch; a batch at an epoch's end is filled up from the next one."""

    def __init__(
        self,
        train: Tensor,
        labels: Tensor | None,
        device: torch.device,
        batch_size: int,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> None:
        """train: uint8 (N, C, H, W) or float32 (N, 2). Kept on the device where it fits, else in pinned memory."""
        self.device, self.batch_size, self._format = device, batch_size, memory_format
        self.resident = device.type == "cpu" or _fits(train, device)
        if self.resident:
            train, labels = train.to(device), None if labels is None else labels.to(device)
        elif device.type == "cuda":
            train, labels = train.pin_memory(), None if labels is None else labels.pin_memory()
        self.train, self.labels = train, labels
        self._order = torch.empty(0, dtype=torch.int32)
        self._position = 0

    def next(self, generator: torch.Generator) -> Batch:
        """The next batch. An epoch's order is drawn from `generator` as it begins; the device is never waited for."""
        index = self._index(generator)
        real = self._take(self.train, index)
        labels = None if self.labels is None else self._take(self.labels, index)
        real = to_float(real)
        return Batch(real.to(memory_format=self._format) if real.dim() == 4 else real, labels)

    def state(self) -> dict[str, Tensor]:
        """The running epoch's order and how far it is drawn: all that next() depends on besides its generator."""
        return {"order": self._order.cpu(), "position": torch.tensor(self._position)}

    def load(self, state: dict[str, Tensor]) -> None:
        """Goes on where state() was taken."""
        order = state["order"]
        if len(order) not in (0, len(self.train)):
            raise ValueError(f"the state is of {len(order)} samples, the data has {len(self.train)}")
        self._order, self._position = self._placed(order), int(state["position"])

    def _index(self, generator: torch.Generator) -> Tensor:
        taken = [self._order[self._position : self._position + self.batch_size]]
        self._position += len(taken[0])
        missing = self.batch_size - len(taken[0])
        while missing:
            order = torch.randperm(len(self.train), generator=generator, device=generator.device, dtype=torch.int32)
            self._order = self._placed(order)
            taken.append(self._order[:missing])
            self._position = len(taken[-1])
            missing -= self._position
        return torch.cat(taken)

    def _placed(self, order: Tensor) -> Tensor:
        """Where indexing happens: on the device, or on the host where the data is there."""
        if not self.resident:
            return order.cpu()
        if order.device.type == "cpu" and self.device.type == "cuda":
            return order.pin_memory().to(self.device, non_blocking=True)
        return order.to(self.device)

    def _take(self, tensor: Tensor, index: Tensor) -> Tensor:
        rows = tensor.index_select(0, index)
        return rows if self.resident else rows.pin_memory().to(self.device, non_blocking=True)


def _fits(train: Tensor, device: torch.device) -> bool:
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return train.numel() * train.element_size() <= SHARE * free
