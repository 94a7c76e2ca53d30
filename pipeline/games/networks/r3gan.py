"""R3GAN's pair (Huang et al. 2024, sec. 3.4; brownvc/R3GAN at 19a7ddf, R3GAN/Networks.py)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from pipeline.games.networks.head import Head, ImageDiscriminator
from pipeline.games.networks.layers import SLOPE, OfClass, Residual, ScaledConv2d, dropout, stddev
from pipeline.games.networks.resampling import Resample
from pipeline.schema.layers import group_size
from pipeline.schema.residual import R3ganDiscriminatorSpec, R3ganSidesSpec, R3ganSpec

BASE = 4  # pixels a side of the lowest stage
EXPANSION = 2  # channels within a block over those between blocks
GAIN = math.sqrt(2 / (1 + SLOPE**2))  # of leaky relu (He et al. 2015)
LINEAR = 3  # convolutions of a block


class GenerativeBasis(nn.Module):
    """(batch, inputs) -> (batch, C, 4, 4): learned maps, each times a number that is linear in the inputs."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.basis = nn.Parameter(torch.randn(channels, BASE, BASE))
        self.weigh = nn.Linear(inputs, channels, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        maps: Tensor = self.basis * self.weigh(inputs)[:, :, None, None]
        return maps


def convolution(channels: tuple[int, int], size: int, gain: float, groups: int = 1, bias: bool = False) -> ScaledConv2d:
    """channels: in and out."""
    layer = ScaledConv2d(*channels, size, padding=size // 2, groups=groups, bias=bias)
    layer.gain = gain
    return layer


def residual(spec: R3ganSidesSpec, width: int, blocks: int) -> Residual:
    """A block of a network of so many: expanded, grouped, projected back, with the biases before the activations. The
    last convolution starts at 0, and the gain of the others falls with the number of blocks (Zhang et al. 2019)."""
    wide, gain = EXPANSION * width, GAIN * blocks ** (-1 / (2 * LINEAR - 2))
    groups = group_size(wide, max(wide // spec.group_width, 1))

    def activated() -> list[nn.Module]:
        return [nn.LeakyReLU(SLOPE), *(dropout(spec) if isinstance(spec, R3ganDiscriminatorSpec) else [])]

    return Residual(
        [
            convolution((width, wide), 1, gain, bias=True),
            *activated(),
            convolution((wide, wide), 3, gain, groups, bias=True),
            *activated(),
            convolution((wide, width), 1, 0.0),
        ],
        [],
    )


def transition(width: int, output: int) -> list[nn.Module]:
    """1 x 1 where the number of channels changes."""
    return [convolution((width, output), 1, 1.0)] if width != output else []


class Generator(nn.Module):
    """(batch, latent size + classes) -> images (batch, channels, resolution, resolution) in [-1, 1].

    Theirs has no tanh at its end: images are in [-1, 1] here.
    """

    def __init__(
        self, spec: R3ganSpec, latent_size: int, classes: int, shape: tuple[int, ...], bounded: bool = True
    ) -> None:
        """Images are bounded, and it is for images alone."""
        super().__init__()
        channels, resolution, _ = shape
        widths = spec.widths(resolution)
        self.latent_size = latent_size
        self.embed = OfClass(classes, latent_size) if classes else None
        self.basis = GenerativeBasis(latent_size * (2 if classes else 1), widths[0])
        layers: list[nn.Module] = []
        for stage, width in enumerate(widths):
            layers += [*transition(widths[stage - 1], width), Resample(up=True)] if stage else []
            layers += [residual(spec, width, len(widths) * spec.blocks) for _ in range(spec.blocks)]
        self.layers = nn.Sequential(*layers, convolution((widths[-1], channels), 1, 1.0), nn.Tanh())

    def forward(self, inputs: Tensor) -> Tensor:
        latent = inputs[:, : self.latent_size]
        if self.embed is not None:
            latent = torch.cat([latent, self.embed(inputs[:, self.latent_size :])], 1)
        x = self.basis(latent)
        for layer in self.layers:
            x = layer(x, None) if isinstance(layer, Residual) else layer(x)
        assert isinstance(x, Tensor)
        return x

    def latent_weights(self) -> Tensor:
        """What latents are multiplied by, (outputs, latent size)."""
        weight: Tensor = self.basis.weigh.weight
        return weight[:, : self.latent_size]


class Discriminator(ImageDiscriminator):
    """Images (batch, channels, resolution, resolution) -> scores (batch,), as Head, of the features' products with a
    learned 4 x 4 basis. Projection is theirs with a term beside it that is of no class; what they factor into two
    matrices is one here."""

    def __init__(self, spec: R3ganDiscriminatorSpec, shape: tuple[int, ...], kind: str | None, classes: int) -> None:
        channels, resolution, _ = shape
        concatenated = kind == "concatenation"
        channels += classes if concatenated else 0
        widths = spec.widths(resolution)[::-1]
        stages: list[list[nn.Module]] = []
        for number, width in enumerate(widths):
            first: list[nn.Module] = [] if number else [convolution((channels, width), 1, 1.0)]
            stage = [residual(spec, width, len(widths) * spec.blocks) for _ in range(spec.blocks)]
            down: list[nn.Module] = [] if number == len(widths) - 1 else [Resample(up=False)]
            down += transition(width, widths[number + 1]) if down else []
            stages.append([*first, *stage, *down])
        beside = stddev(spec, last=True)
        features = widths[-1] + sum(each.added for each in beside)
        basis = ScaledConv2d(features, features, BASE, groups=features, bias=False)
        head = Head(features, spec.minibatch, kind, classes)
        if head.embed is not None:  # so that a product starts with the size that their two matrices give it
            head.embed.gain = features**-0.5
        super().__init__(stages, [*beside, basis, nn.Flatten()], head, concatenated)
