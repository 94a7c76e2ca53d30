"""Whether samples are training samples over again."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

JUDGED = 256  # samples at most: a standard error of 0.03 and less
CHUNK = 256


@dataclass(frozen=True)
class Memory:
    """Training features (N, D) float32, less their mean, with their squared lengths: what samples may be copies of.
    held_out: the share of held-out real samples that is too near to one of them."""

    features: Tensor
    lengths: Tensor
    mean: Tensor
    held_out: float = 0.0


def remembered(training: Tensor, held_out: Tensor | None = None) -> Memory:
    """Of training features (N, D), N at least 2; held_out: those of real samples that were not trained on."""
    if len(training) < 2:
        raise ValueError(f"{len(training)} training features; two are needed for a nearest other one")
    mean = training.float().mean(0)
    centred = training.float() - mean
    memory = Memory(centred, centred.square().sum(1), mean)
    if held_out is None:
        return memory
    return Memory(memory.features, memory.lengths, mean, 1 - authenticity(memory, held_out))


def nearest(memory: Memory, features: Tensor, *, other: bool = False) -> tuple[Tensor, Tensor]:
    """(distance, index) of the nearest training sample of each of features (M, D); other: of the second nearest, which
    for a training sample is its nearest other one."""
    pairs = []
    for chunk in (features.float() - memory.mean).split(CHUNK):
        squares = torch.addmm(memory.lengths + chunk.square().sum(1, keepdim=True), chunk, memory.features.T, alpha=-2)
        if other:
            values, index = squares.topk(2, dim=1, largest=False)
            pairs.append((values[:, 1], index[:, 1]))
        else:
            values, index = squares.min(1)
            pairs.append((values, index))
    distances, indices = (torch.cat(each) for each in zip(*pairs, strict=True))
    return distances.clamp(min=0).sqrt(), indices


def authenticity(memory: Memory, features: Tensor) -> float:
    """The share of samples that are further from the nearest training sample than that one is from its nearest other
    one (Alaa et al. 2022, section 3.4; AuthPct of Jiralerspong et al. 2023), over the first 256 of features (M, D); nan
    where one is not finite."""
    judged = features[:JUDGED]
    if not bool(judged.isfinite().all()):
        return math.nan
    distances, index = nearest(memory, judged)
    sources, inverse = index.unique(return_inverse=True)
    apart, _ = nearest(memory, memory.features[sources] + memory.mean, other=True)
    return float((distances > apart[inverse]).double().mean())
