"""SRResNet (Ledig et al. 2017): from a small image to one that is 2 or 4 times as large."""

from __future__ import annotations

import math

from torch import Tensor, nn

from pipeline.games.networks.layers import norm_2d
from pipeline.schema.enlargers import SrresnetSpec


class Block(nn.Module):
    """x + scale * norm(conv(prelu(norm(conv(x))))), 3 x 3 (Ledig et al. 2017, fig. 4)."""

    def __init__(self, width: int, norm: str, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.layers = nn.Sequential(
            *_convolution(width, width, norm), nn.PReLU(width), *_convolution(width, width, norm)
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.scale * self.layers(x)
        return out


class Generator(nn.Module):
    """Images (batch, channels, H, W) in [-1, 1] -> (batch, channels, factor * H, factor * W) in [-1, 1], of any H and
    W: k9, the blocks and k3 around all of them, k3 and a pixel shuffle for each doubling, k9 (Ledig et al. 2017,
    fig. 4). It ends in tanh, which their text (sec. 3.2) leaves open: images are bounded here."""

    def __init__(
        self, spec: SrresnetSpec, factor: int, classes: int, shape: tuple[int, ...], bounded: bool = True
    ) -> None:
        """factor: in place of the latents, of which it has none, as it has no classes."""
        super().__init__()
        channels, width = shape[0], spec.width
        self.first = nn.Sequential(nn.Conv2d(channels, width, 9, padding=4), nn.PReLU(width))
        blocks = [Block(width, spec.norm, spec.residual_scale) for _ in range(spec.blocks)]
        self.middle = nn.Sequential(*blocks, *_convolution(width, width, spec.norm))
        larger: list[nn.Module] = []
        for _ in range(int(math.log2(factor))):
            larger += [nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.PReLU(width)]
        self.last = nn.Sequential(*larger, nn.Conv2d(width, channels, 9, padding=4), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        features = self.first(x)
        out: Tensor = self.last(features + self.middle(features))
        return out


def _convolution(channels: int, width: int, norm: str) -> list[nn.Module]:
    return [nn.Conv2d(channels, width, 3, padding=1), *norm_2d(norm, width)]
