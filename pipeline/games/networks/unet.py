"""The U-Net generator of pix2pix (Isola et al. 2017): what is drawn at the edges goes around the bottleneck."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.games.networks.layers import Dropout, activation, norm_2d, through
from pipeline.schema.translators import UnetSpec, halvings

NOISY = 3  # upsamplings with dropout, behind the innermost one
WIDEST = 8  # times the width


class Generator(nn.Module):
    """Images (batch, channels, resolution, resolution) in [-1, 1] -> such images: C w, C 2w, ..., C 8w downwards, and
    back with what each stage saw beside it (Isola et al. 2017, appendix 6.1.1; no norm in the first layer, nor at
    1 x 1, where it would leave nothing)."""

    def __init__(
        self, spec: UnetSpec, latent_size: int, classes: int, shape: tuple[int, ...], bounded: bool = True
    ) -> None:
        """It has neither latents nor classes, and images are bounded."""
        super().__init__()
        channels, resolution = shape[0], shape[-1]
        depth = spec.depth or min(halvings(resolution), 8)
        widths = [spec.width * min(2**stage, WIDEST) for stage in range(depth)]
        down, up = [], []
        for stage, width in enumerate(widths):
            normed = spec.norm if stage and resolution >> (stage + 1) > 1 else "none"
            before = [activation("leaky_relu", "discriminator")] if stage else []
            down.append(
                nn.Sequential(
                    *before,
                    nn.Conv2d(widths[stage - 1] if stage else channels, width, 4, 2, 1),
                    *norm_2d(normed, width),
                )
            )
        for stage in reversed(range(depth)):
            inner = stage == depth - 1
            wide, width = widths[stage] * (1 if inner else 2), widths[stage - 1] if stage else channels
            layers: list[nn.Module] = [nn.ReLU(), nn.ConvTranspose2d(wide, width, 4, 2, 1)]
            layers += norm_2d(spec.norm, width) if stage else [nn.Tanh()]
            noisy = stage and depth - 1 - NOISY <= stage < depth - 1 and spec.dropout
            up.append(nn.Sequential(*layers, *([Dropout(spec.dropout, always=True)] if noisy else [])))
        self.down, self.up = nn.ModuleList(down), nn.ModuleList(up)

    def forward(self, x: Tensor, randomness: torch.Generator | None = None) -> Tensor:
        seen = []
        for layers in self.down:
            x = layers(x)
            seen.append(x)
        seen.pop()
        for layers in self.up:
            assert isinstance(layers, nn.Sequential)
            x = through(layers, x, randomness)
            x = torch.cat([x, seen.pop()], 1) if seen else x
        return x
