"""The networks of progressive growing (Karras et al. 2018, table 2; tkarras/progressive_growing_of_gans at 1c5876c,
networks.py, G_paper and D_paper). All stages are there from the start; `level` says which are used: 0 at 4 x 4 pixels,
1 at 8 x 8, and in between a blend of both. A pass costs what its level's networks cost."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.games.growing import enlarged, reduced
from pipeline.games.networks.equalised import GAIN, EqualisedConv2d, EqualisedLinear, equalise
from pipeline.games.networks.head import Head
from pipeline.games.networks.layers import SLOPE, dropout, stddev, through
from pipeline.schema.growing import ProgressiveDiscriminatorSpec, ProgressiveSpec
from pipeline.schema.layers import stages

BASE = 4  # pixels a side of the lowest stage


class PixelNorm(nn.Module):
    """(batch, C, ...) with each pixel's values divided by the root of their mean square (eq. in sec. 4.2)."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class Doubled(nn.Module):
    """Twice the size, by the nearest pixel."""

    def forward(self, x: Tensor) -> Tensor:
        return enlarged(x)


class Generator(nn.Module):
    """(batch, latent size + classes) -> images (batch, channels, resolution, resolution) in [-1, 1], always of the full
    resolution: those of a lower level are enlarged.

    Theirs ends without a tanh: images are in [-1, 1] here.
    """

    grows = True

    def __init__(
        self, spec: ProgressiveSpec, latent_size: int, classes: int, shape: tuple[int, ...], bounded: bool = True
    ) -> None:
        """Images are bounded, and it is for images alone."""
        super().__init__()
        channels, resolution, _ = shape
        widths = spec.widths(resolution)
        self.full = stages(resolution)

        def finished() -> list[nn.Module]:
            return [nn.LeakyReLU(SLOPE), *([PixelNorm()] if spec.norm == "pixel" else [])]

        first = EqualisedLinear(latent_size + classes, widths[0] * BASE**2, gain=GAIN / 4)  # the gain is their code's
        lowest = [*finished()[1:], first, nn.Unflatten(1, (widths[0], BASE, BASE)), *finished()]
        blocks = [[*lowest, EqualisedConv2d(widths[0], widths[0], 3, gain=GAIN), *finished()]]
        for below, width in pairwise(widths):
            block: list[nn.Module] = [Doubled(), EqualisedConv2d(below, width, 3, gain=GAIN), *finished()]
            blocks.append([*block, EqualisedConv2d(width, width, 3, gain=GAIN), *finished()])
        self.stages = nn.ModuleList(nn.Sequential(*block) for block in blocks)
        self.to_image = nn.ModuleList(nn.Sequential(EqualisedConv2d(width, channels, 1), nn.Tanh()) for width in widths)

    def forward(self, inputs: Tensor, level: float | None = None) -> Tensor:
        """level None: of the full resolution."""
        below, share = _parted(level, self.full)
        x = inputs
        for stage in self.stages[: below + 1]:
            x = stage(x)
        images: Tensor = self.to_image[below](x)
        if share:
            finer = self.to_image[below + 1](self.stages[below + 1](x))
            images, below = torch.lerp(enlarged(images), finer, share), below + 1
        return enlarged(images, self.full - below)


class Discriminator(nn.Module):
    """Images (batch, channels, resolution, resolution), always of the full resolution -> scores (batch,), as Head.

    With a class at its input the planes of it are beside the image of each stage.
    """

    grows = True

    def __init__(
        self, spec: ProgressiveDiscriminatorSpec, shape: tuple[int, ...], kind: str | None, classes: int
    ) -> None:
        super().__init__()
        channels, resolution, _ = shape
        self.concatenated = kind == "concatenation"
        channels += classes if self.concatenated else 0
        widths = spec.widths(resolution)
        self.full = stages(resolution)

        def finished() -> list[nn.Module]:
            return [nn.LeakyReLU(SLOPE), *dropout(spec)]

        beside = stddev(spec, last=True)
        lowest, features = widths[0], min(2 * widths[0], spec.max_width)
        first = EqualisedConv2d(lowest + sum(each.added for each in beside), lowest, 3, gain=GAIN)
        last = EqualisedLinear(lowest * BASE**2, features, gain=GAIN)
        blocks: list[list[nn.Module]] = [[*beside, first, *finished(), nn.Flatten(), last, *finished()]]
        for below, width in pairwise(widths):
            block: list[nn.Module] = [EqualisedConv2d(width, width, 3, gain=GAIN), *finished()]
            blocks.append([*block, EqualisedConv2d(width, below, 3, gain=GAIN), *finished(), nn.AvgPool2d(2)])
        self.stages = nn.ModuleList(nn.Sequential(*block) for block in blocks)
        self.from_image = nn.ModuleList(
            nn.Sequential(EqualisedConv2d(channels, width, 1, gain=GAIN), *finished()) for width in widths
        )
        self.head = Head(features, spec.minibatch, kind, classes)
        equalise(self.head)

    def blocks(self) -> list[list[nn.Module]]:
        """Those nearest the full image first."""
        return [[self.from_image[number], self.stages[number]] for number in range(self.full, -1, -1)]

    def forward(
        self,
        x: Tensor,
        condition: Tensor | None = None,
        randomness: torch.Generator | None = None,
        level: float | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """level None: of the full resolution."""
        below, share = _parted(level, self.full)
        used = below + 1 if share else below
        x = reduced(x, self.full - used)
        if self.concatenated:
            assert condition is not None
            planes = condition[:, :, None, None].to(x.dtype).expand(-1, -1, *x.shape[2:])
            x = torch.cat([x, planes], 1)

        def passed(layers: Any, h: Tensor) -> Tensor:
            return through(layers, h, randomness)

        h = passed(self.from_image[used], x)
        for number in range(used, -1, -1):
            h = passed(self.stages[number], h)
            if share and number == used:
                h = torch.lerp(passed(self.from_image[below], reduced(x)), h, share)
        out: Tensor | tuple[Tensor, Tensor] = self.head(h, condition)
        return out


def _parted(level: float | None, full: int) -> tuple[int, float]:
    """The stage below a level, and how far the next one has faded in."""
    if level is None or level >= full:
        return full, 0.0
    return int(level), math.fmod(level, 1.0)
