"""Multilayer perceptrons, for points and for small images."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from pipeline.games.networks.head import Head
from pipeline.games.networks.layers import dropout, hidden_1d, split, stddev, through
from pipeline.schema.networks import MlpDiscriminatorSpec, MlpSpec


class Generator(nn.Module):
    """(batch, latent size + classes) -> (batch, *shape); values that are bounded end in tanh."""

    def __init__(self, spec: MlpSpec, latent_size: int, classes: int, shape: tuple[int, ...], bounded: bool) -> None:
        super().__init__()
        self.shape, self.latent_size = shape, latent_size
        self.normed_by_class = spec.norm == "conditional_batch"
        layers: list[nn.Module] = []
        inputs = latent_size + (0 if self.normed_by_class else classes)
        for _ in range(spec.depth):
            layers += hidden_1d(spec, inputs, "generator", spec.norm, classes)
            inputs = spec.width
        layers.append(nn.Linear(inputs, math.prod(shape)))
        if bounded:
            layers.append(nn.Tanh())
        self.layers = nn.Sequential(*layers)

    def forward(self, inputs: Tensor) -> Tensor:
        condition = inputs[:, self.latent_size :]
        start = inputs[:, : self.latent_size] if self.normed_by_class else inputs
        return through(self.layers, start, condition).view(-1, *self.shape)

    def latent_weights(self) -> Tensor:
        """What latents are multiplied by, (outputs, latent size)."""
        first = self.layers[0]
        assert isinstance(first, nn.Linear)
        return first.weight[:, : self.latent_size]


class Discriminator(nn.Module):
    """(batch, *shape) -> scores (batch,), as Head."""

    def __init__(self, spec: MlpDiscriminatorSpec, shape: tuple[int, ...], kind: str | None, classes: int) -> None:
        super().__init__()
        self.concatenated = kind == "concatenation"
        layers: list[nn.Module] = []
        self._ends: list[int] = []  # of the blocks, among the layers
        inputs = math.prod(shape) + (classes if self.concatenated else 0)
        for depth in range(spec.depth):
            norm = spec.norm if depth else "none"  # none right at the discriminator's input (Radford et al. 2016)
            beside = stddev(spec, last=depth == spec.depth - 1)
            inputs += sum(each.added for each in beside)
            layers += [*beside, *hidden_1d(spec, inputs, "discriminator", norm), *dropout(spec)]
            inputs = spec.width
            self._ends.append(len(layers))
        self.layers = nn.Sequential(*layers)
        self.head = Head(spec.width, spec.minibatch, kind, classes)

    def blocks(self) -> list[list[nn.Module]]:
        """The hidden layers, the one nearest the data first."""
        return split(self.layers, self._ends)

    def forward(
        self, x: Tensor, condition: Tensor | None = None, randomness: torch.Generator | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        x = x.flatten(1)
        if self.concatenated:
            assert condition is not None
            x = torch.cat([x, condition.to(x.dtype)], 1)
        out: Tensor | tuple[Tensor, Tensor] = self.head(through(self.layers, x, randomness), condition)
        return out
