"""Multilayer perceptrons, for points and for small images."""

from __future__ import annotations

import math

from torch import Tensor, nn

from pipeline.games.networks.layers import activation, norm_1d
from pipeline.spec.trial import MlpSpec


class MlpGenerator(nn.Module):
    """(batch, latent size) -> (batch, *shape); images end in tanh, points are unbounded."""

    def __init__(self, spec: MlpSpec, latent_size: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        layers = _hidden(spec, latent_size, "generator")
        layers.append(nn.Linear(spec.width, math.prod(shape)))
        if len(shape) == 3:
            layers.append(nn.Tanh())
        self.layers = nn.Sequential(*layers)

    def forward(self, latent: Tensor) -> Tensor:
        out: Tensor = self.layers(latent)
        return out.view(-1, *self.shape)


class MlpDiscriminator(nn.Module):
    """(batch, *shape) -> scores (batch,)."""

    def __init__(self, spec: MlpSpec, shape: tuple[int, ...]) -> None:
        super().__init__()
        layers = _hidden(spec, math.prod(shape), "discriminator")
        self.layers = nn.Sequential(*layers, nn.Linear(spec.width, 1))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x.flatten(1))
        return out.squeeze(1)


def _hidden(spec: MlpSpec, inputs: int, side: str) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for depth in range(spec.depth):
        layers += [nn.Linear(inputs, spec.width)]
        if depth or side == "generator":  # no norm right at the discriminator's input (Radford et al. 2016)
            layers += norm_1d(spec.norm, spec.width)
        layers += [activation(spec.activation, side)]
        inputs = spec.width
    return layers
