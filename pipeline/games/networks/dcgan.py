"""The DCGAN family (Radford et al. 2016) at any even resolution from 8 to 64."""

from __future__ import annotations

from torch import Tensor, nn

from pipeline.games.networks.layers import activation, norm_2d
from pipeline.spec.trial import DcganSpec, stages


class DcganGenerator(nn.Module):
    """(batch, latent size) -> images (batch, channels, resolution, resolution) in [-1, 1]."""

    def __init__(self, spec: DcganSpec, latent_size: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        channels, resolution, _ = shape
        depth = spec.depth or stages(resolution)
        base, width = resolution // 2**depth, spec.width * 2 ** (depth - 1)
        self.base_shape = (width, base, base)
        self.project = nn.Linear(latent_size, width * base * base)
        layers: list[nn.Module] = [*norm_2d(spec.norm, width), activation(spec.activation, "generator")]
        for _ in range(depth - 1):
            layers += [nn.ConvTranspose2d(width, width // 2, 4, 2, 1), *norm_2d(spec.norm, width // 2)]
            layers += [activation(spec.activation, "generator")]
            width //= 2
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(width, channels, 4, 2, 1), nn.Tanh())

    def forward(self, latent: Tensor) -> Tensor:
        out: Tensor = self.layers(self.project(latent).view(-1, *self.base_shape))
        return out


class DcganDiscriminator(nn.Module):
    """Images (batch, channels, resolution, resolution) -> scores (batch,); no norm at its input."""

    def __init__(self, spec: DcganSpec, shape: tuple[int, ...]) -> None:
        super().__init__()
        channels, resolution, _ = shape
        depth = spec.depth or stages(resolution)
        layers: list[nn.Module] = []
        for stage in range(depth):
            width = spec.width * 2**stage
            layers += [nn.Conv2d(channels, width, 4, 2, 1)]
            layers += norm_2d(spec.norm, width) if stage else []
            layers += [activation(spec.activation, "discriminator")]
            channels = width
        base = resolution // 2**depth
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * base * base, 1))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return out.squeeze(1)
