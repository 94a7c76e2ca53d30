"""The networks of CycleGAN (Zhu et al. 2017): from an image to an image, and from an image to a score a patch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.games.networks.layers import activation, norm_2d
from pipeline.schema.translators import PatchSpec, TranslatorSpec


class Residual(nn.Module):
    """x + conv(relu(conv(x))), each convolution 3 x 3 with reflection padding and a norm; no activation behind the sum
    (Johnson et al. 2016, whose blocks are those of Gross and Wilber 2016)."""

    def __init__(self, channels: int, norm: str) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(channels, channels, 3, norm), nn.ReLU(), *_convolution(channels, channels, 3, norm)
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.layers(x)
        return out


class Generator(nn.Module):
    """Images (batch, channels, resolution, resolution) in [-1, 1] -> such images of another domain: c7s1-w, d2w, d4w,
    R4w x blocks, u2w, uw, c7s1-channels (Zhu et al. 2017, appendix 7.2), at a depth of 2."""

    def __init__(
        self, spec: TranslatorSpec, latent_size: int, classes: int, shape: tuple[int, ...], bounded: bool = True
    ) -> None:
        """It has neither latents nor classes, and images are bounded."""
        super().__init__()
        width = spec.width
        layers: list[nn.Module] = [*_convolution(shape[0], width, 7, spec.norm), nn.ReLU()]
        for _ in range(spec.depth):
            layers += [nn.Conv2d(width, 2 * width, 3, 2, 1), *norm_2d(spec.norm, 2 * width), nn.ReLU()]
            width *= 2
        layers += [Residual(width, spec.norm) for _ in range(spec.blocks)]
        for _ in range(spec.depth):
            up = nn.ConvTranspose2d(width, width // 2, 3, 2, 1, output_padding=1)
            layers += [up, *norm_2d(spec.norm, width // 2), nn.ReLU()]
            width //= 2
        self.layers = nn.Sequential(*layers, *_convolution(width, shape[0], 7, "none"), nn.Tanh())

    def forward(self, x: Tensor, randomness: torch.Generator | None = None) -> Tensor:
        """It has no noise of its own."""
        out: Tensor = self.layers(x)
        return out


class Discriminator(nn.Module):
    """Images (batch, channels, resolution, resolution) -> a score for each patch (batch, n, n): C w, C 2w, ... of
    stride 2, doubled up to 8 w, then one of stride 1 and the scores (Isola et al. 2017, appendix 6.1.2; leaky ReLU of
    0.2, no norm in the first layer)."""

    def __init__(self, spec: PatchSpec, shape: tuple[int, ...], kind: str | None, classes: int) -> None:
        """It knows no condition."""
        super().__init__()
        channels = shape[0]
        layers: list[nn.Module] = []
        for stage in range(spec.depth + 1):
            width, stride = spec.width * 2 ** min(stage, 3), 1 if stage == spec.depth else 2
            layers += [nn.Conv2d(channels, width, 4, stride, 1), *(norm_2d(spec.norm, width) if stage else [])]
            layers += [activation("leaky_relu", "discriminator")]
            channels = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, 1, 4, 1, 1))

    def forward(self, x: Tensor, condition: Tensor | None = None, randomness: torch.Generator | None = None) -> Tensor:
        scores: Tensor = self.layers(x)
        return scores.squeeze(1)


def _convolution(channels: int, width: int, size: int, norm: str) -> list[nn.Module]:
    """Of stride 1, as large as its input, which it sees mirrored at the edges: zeros would show there."""
    padding = size // 2
    return [nn.Conv2d(channels, width, size, padding=padding, padding_mode="reflect"), *norm_2d(norm, width)]
