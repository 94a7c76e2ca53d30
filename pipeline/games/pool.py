"""A pool of earlier fakes (Shrivastava et al. 2017, sec. 2.3): the discriminator forgets less of what it has seen."""

from __future__ import annotations

import torch
from torch import Tensor

# The state of one pool of `size`: images (size, ...), `filled`, how many of them are there, and what was drawn for the
# next step: for each fake of a batch its place in the pool, `places`, and whether it is `swapped` for what is there.
# Drawn a step ahead, so that a loss, which draws nothing of its own, and what comes after it go by the same.
Pool = dict[str, Tensor]


def empty(size: int, shape: tuple[int, ...], batch: int, device: torch.device) -> Pool:
    """Of a batch larger than the pool only so many fakes go through it as it has places."""
    taking = min(batch, size)
    return {
        "images": torch.zeros(size, *shape, device=device),
        "filled": torch.zeros((), dtype=torch.int64, device=device),
        "places": torch.arange(taking, device=device),
        "swapped": torch.zeros(taking, dtype=torch.bool, device=device),
    }


def shown(pool: Pool, fakes: Tensor, first: int = 0) -> Tensor:
    """What the discriminator sees of these fakes (batch, ...): each as it is while the pool fills, and else with
    probability one half an earlier one, drawn uniformly, in its place. first: the batch's row that they begin with."""
    index, swapped = (each[first:] for each in _drawn(pool, first + len(fakes))[:2])
    earlier = pool["images"].index_select(0, index).to(fakes.dtype)
    count = len(index)
    return torch.cat([torch.where(_wide(swapped, fakes), earlier, fakes[:count]), fakes[count:]])


def advanced(pool: Pool, fakes: Tensor, randomness: torch.Generator) -> Pool:
    """The pool after these fakes: they fill it, or take the places of those that were shown for them."""
    index, swapped, filling = _drawn(pool, len(fakes))
    images, new = pool["images"], fakes[: len(index)].detach().to(pool["images"].dtype)
    kept = torch.where(_wide(swapped | filling, new), new, images.index_select(0, index))
    size, taking, device = len(images), len(pool["places"]), images.device
    return {
        "images": images.index_copy(0, index, kept),
        "filled": (pool["filled"] + len(fakes)).clamp(max=size),
        "places": torch.randperm(size, generator=randomness, device=device)[:taking],
        "swapped": torch.rand(taking, generator=randomness, device=device) < 0.5,
    }


def _drawn(pool: Pool, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """For each fake that goes through the pool its place, all different, whether it is swapped for what is there, and
    whether it goes to a place that was empty."""
    size, filled = len(pool["images"]), pool["filled"]
    taking = min(count, len(pool["places"]))
    following = filled + torch.arange(taking, device=filled.device)
    full = filled >= size
    index = torch.where(full, pool["places"][:taking], following % size)
    return index, full & pool["swapped"][:taking], following < size


def _wide(chosen: Tensor, like: Tensor) -> Tensor:
    """(count,) with the axes of `like`."""
    return chosen.view(-1, *[1] * (like.dim() - 1))
