"""Batches: the training part on the training device, drawn in epochs without replacement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from pipeline.data.rows import fits

SHARE = 0.25  # of a GPU's free memory that the data may take
REAL, LABEL = "real", "label"  # the names of samples and labels, of data of one domain

# float32 images (B, C, H, W) in [-1, 1] or points (B, D), and labels, int64 (B,), where there are some: as `real` and
# `label`, of data of several domains as NAME and NAME_label.
Batch = Mapping[str, Tensor]


def to_float(images: Tensor) -> Tensor:
    """uint8 0..255 -> float32 -1..1; what is float already stays as it is (points)."""
    return images.float().mul_(2 / 255).sub_(1) if images.dtype == torch.uint8 else images


def to_uint8(images: Tensor) -> Tensor:
    """Float in [-1, 1] -> uint8 0..255; values beyond are cut, as a display would."""
    return images.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def mirrored(images: Tensor, randomness: torch.Generator) -> Tensor:
    """Images (N, C, H, W) turned from left to right, each with probability one half."""
    return _mirrored(images, _turned(len(images), randomness))


def _turned(count: int, randomness: torch.Generator) -> Tensor:
    return torch.rand(count, generator=randomness, device=randomness.device) < 0.5


def _mirrored(images: Tensor, turned: Tensor) -> Tensor:
    return torch.where(turned[:, None, None, None], images.flip(3), images)


@dataclass(frozen=True)
class Domain:
    """The samples of one domain, uint8 (N, C, H, W) or float32 (N, D), and their labels, int64 (N,)."""

    samples: Tensor
    labels: Tensor | None = None


@dataclass(frozen=True)
class How:
    """How batches are made of samples. laid_out: how a batch of float samples lies in memory. mirrored: every image is
    shown mirrored half of the time. paired: all domains follow the first one's order, and are mirrored together."""

    laid_out: Callable[[Tensor], Tensor] = lambda samples: samples
    mirrored: bool = False
    paired: bool = False


PLAIN = How()


class Batches:
    """Every sample once an epoch, each domain in an order of its own; a batch at an epoch's end is filled up from the
    next one."""

    def __init__(self, domains: Mapping[str, Domain], device: torch.device, batch_size: int, how: How = PLAIN) -> None:
        """Kept on the device where all domains fit, else in pinned memory, and what does not fit there either in the
        file that it is mapped from, of which each batch is pinned alone. One domain is called REAL."""
        self.device, self.batch_size, self._how = device, batch_size, how
        self.resident = device.type == "cpu" or _fits(domains.values(), device)
        self.domains = {name: self._kept(domain) for name, domain in domains.items()}
        self._orders = {name: _Order() for name in domains}

    def next(self, generator: torch.Generator) -> Batch:
        """The next batch. An epoch's order is drawn from `generator` as it begins; the device is never waited for."""
        batch, first = {}, next(iter(self.domains))
        for name, domain in self.domains.items():
            if not self._how.paired or name == first:
                index = self._index(domain.samples, self._orders[name], generator)
                turned = _turned(len(index), generator) if self._how.mirrored else None
            samples = self._take(domain.samples, index)
            shown = samples if turned is None else _mirrored(samples, turned)
            batch[name] = self._how.laid_out(to_float(shown))
            if domain.labels is not None:
                batch[label_of(name)] = self._take(domain.labels, index)
        return batch

    def state(self) -> dict[str, Any]:
        """The running epoch's order and how far it is drawn: all that next() depends on besides its generator. Of
        several domains by name."""
        states = {name: order.state() for name, order in self._orders.items()}
        return states[REAL] if list(states) == [REAL] else states

    def load(self, state: Mapping[str, Any]) -> None:
        """Goes on where state() was taken."""
        states = {REAL: state} if list(self._orders) == [REAL] else state
        for name, order in self._orders.items():
            drawn, samples = states[name]["order"], self.domains[name].samples
            if len(drawn) not in (0, len(samples)):
                raise ValueError(f"the state is of {len(drawn)} samples, the data has {len(samples)}")
            order.drawn, order.position = self._placed(drawn), int(states[name]["position"])

    def _kept(self, domain: Domain) -> Domain:
        def kept(tensor: Tensor) -> Tensor:
            if self.resident:
                return tensor.to(self.device)
            size = tensor.numel() * tensor.element_size()
            return tensor.pin_memory() if self.device.type == "cuda" and fits(size) else tensor

        return Domain(kept(domain.samples), None if domain.labels is None else kept(domain.labels))

    def _index(self, samples: Tensor, order: _Order, generator: torch.Generator) -> Tensor:
        taken = [order.drawn[order.position : order.position + self.batch_size]]
        order.position += len(taken[0])
        missing = self.batch_size - len(taken[0])
        while missing:
            drawn = torch.randperm(len(samples), generator=generator, device=generator.device, dtype=torch.int32)
            order.drawn = self._placed(drawn)
            taken.append(order.drawn[:missing])
            order.position = len(taken[-1])
            missing -= order.position
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


@dataclass
class _Order:
    """How the samples of a domain follow each other in this epoch, and how far it is."""

    drawn: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int32))
    position: int = 0

    def state(self) -> dict[str, Tensor]:
        return {"order": self.drawn.cpu(), "position": torch.tensor(self.position)}


def label_of(domain: str) -> str:
    """What a batch calls the labels of a domain."""
    return LABEL if domain == REAL else f"{domain}_{LABEL}"


def _fits(domains: Iterable[Domain], device: torch.device) -> bool:
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    size = sum(domain.samples.numel() * domain.samples.element_size() for domain in domains)
    return size <= SHARE * free
