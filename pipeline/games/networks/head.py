"""The discriminator's head: from the features of a batch to scores, with what the condition and the batch add."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.games.networks.layers import OfClass, split, through
from pipeline.schema.layers import Minibatch

KERNELS, DIMENSIONS = 100, 5  # of minibatch discrimination, as in the code of Salimans et al. 2016


class MinibatchDiscrimination(nn.Module):
    """Adds how near the other samples of the batch are (Salimans et al. 2016, sec. 3.2)."""

    added = KERNELS

    def __init__(self, features: int) -> None:
        super().__init__()
        self.project = nn.Linear(features, KERNELS * DIMENSIONS, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, F) -> (batch, F + KERNELS): o_b(i) = sum over j != i of exp(-|M_ib - M_jb|_1)."""
        m = self.project(features).float().view(-1, KERNELS, DIMENSIONS)
        near = (-(m[:, None] - m[None, :]).abs().sum(3)).exp()  # (batch, batch, KERNELS)
        return torch.cat([features, near.sum(1) - 1], 1)


class Head(nn.Module):
    """(batch, features) and the condition (batch, classes), one-hot -> scores (batch,), and with an auxiliary
    classifier the pair of them and the classes' logits (batch, classes). Of `minibatch` what is not in the layers."""

    def __init__(self, features: int, minibatch: Minibatch, kind: str | None, classes: int) -> None:
        super().__init__()
        self.minibatch = MinibatchDiscrimination(features) if minibatch == "discrimination" else None
        features += self.minibatch.added if self.minibatch else 0
        self.score = nn.Linear(features, 1)
        self.embed = OfClass(classes, features) if kind == "projection" else None
        self.classify = nn.Linear(features, classes) if kind == "auxiliary_classifier" else None

    def forward(self, features: Tensor, condition: Tensor | None) -> Tensor | tuple[Tensor, Tensor]:
        # In float32 under autocast too: what counts are differences of scores, which may be small beside the scores.
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            if self.minibatch is not None:
                features = self.minibatch(features)
            scores: Tensor = self.score(features).squeeze(1)
            if self.embed is not None:
                assert condition is not None
                scores = scores + (self.embed(condition.float()) * features).sum(1)
            return scores if self.classify is None else (scores, self.classify(features))


class ImageDiscriminator(nn.Module):
    """Images (batch, channels, resolution, resolution) -> scores (batch,), as Head, by layers in blocks."""

    def __init__(
        self, blocks: list[list[nn.Module]], rest: list[nn.Module], head: nn.Module, concatenated: bool
    ) -> None:
        """rest: between the last block and the head. head: a Head, or what gives the same. concatenated: whether the
        first block is told the class, as planes beside the image."""
        super().__init__()
        self.concatenated = concatenated
        self._ends = [sum(map(len, blocks[: number + 1])) for number in range(len(blocks))]
        self.layers = nn.Sequential(*(layer for block in blocks for layer in block), *rest)
        self.head = head

    def blocks(self) -> list[list[nn.Module]]:
        """Those nearest the image first."""
        return split(self.layers, self._ends)

    def forward(
        self, x: Tensor, condition: Tensor | None = None, randomness: torch.Generator | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        if self.concatenated:
            assert condition is not None
            planes = condition[:, :, None, None].to(x.dtype).expand(-1, -1, *x.shape[2:])
            x = torch.cat([x, planes], 1)
        out: Tensor | tuple[Tensor, Tensor] = self.head(through(self.layers, x, randomness), condition)
        return out
