"""SNDCGAN (Miyato et al. 2018, table 3), as google/compare_gan has it (compare_gan/architectures/sndcgan.py)."""

from __future__ import annotations

from torch import Tensor, nn

from pipeline.games.networks.head import Head, ImageDiscriminator
from pipeline.games.networks.layers import activation, dropout, norm_2d, stddev, through
from pipeline.schema.published import SndcganDiscriminatorSpec, SndcganSpec

SLOPE = 0.1  # of leaky_relu


class Generator(nn.Module):
    """(batch, latent size + classes) -> images (batch, channels, resolution, resolution) in [-1, 1]: a linear layer,
    a transposed 4 x 4 convolution of stride 2 for each stage, and one of 3 x 3."""

    def __init__(
        self, spec: SndcganSpec, latent_size: int, classes: int, shape: tuple[int, ...], bounded: bool = True
    ) -> None:
        """Images are bounded, and it is for images alone."""
        super().__init__()
        channels, resolution, _ = shape
        depth = spec.halvings(resolution)
        base, width = resolution // 2**depth, spec.width * 2**depth
        self.base_shape, self.latent_size = (width, base, base), latent_size
        self.normed_by_class = spec.norm == "conditional_batch"
        self.project = nn.Linear(latent_size + (0 if self.normed_by_class else classes), width * base * base)

        def finished(count: int) -> list[nn.Module]:
            return [*norm_2d(spec.norm, count, classes), _activation(spec.activation or "relu")]

        layers = finished(width)
        for _ in range(depth):
            layers += [nn.ConvTranspose2d(width, width // 2, 4, 2, 1), *finished(width // 2)]
            width //= 2
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(width, channels, 3, 1, 1), nn.Tanh())

    def forward(self, inputs: Tensor) -> Tensor:
        projected = self.project(inputs[:, : self.latent_size] if self.normed_by_class else inputs)
        return through(self.layers, projected.view(-1, *self.base_shape), inputs[:, self.latent_size :])

    def latent_weights(self) -> Tensor:
        """What latents are multiplied by, (outputs, latent size)."""
        weight: Tensor = self.project.weight
        return weight[:, : self.latent_size]


class Discriminator(ImageDiscriminator):
    """Images (batch, channels, resolution, resolution) -> scores (batch,), as Head: with 3 stages 7 convolutions, 3 x 3
    and 4 x 4 by turns, of 1, 2, 2, 4, 4, 8 and 8 times the width; no norm at its input."""

    def __init__(self, spec: SndcganDiscriminatorSpec, shape: tuple[int, ...], kind: str | None, classes: int) -> None:
        channels, resolution, _ = shape
        concatenated = kind == "concatenation"
        channels += classes if concatenated else 0
        depth = spec.halvings(resolution)
        blocks: list[list[nn.Module]] = []

        def finished(count: int, normed: bool = True) -> list[nn.Module]:
            norm = norm_2d(spec.norm, count) if normed else []
            return [*norm, _activation(spec.activation or "leaky_relu"), *dropout(spec)]

        for stage in range(depth):
            width = spec.width * 2**stage
            same = nn.Conv2d(channels, width, 3, 1, 1)
            halving = nn.Conv2d(width, 2 * width, 4, 2, 1)
            blocks.append([same, *finished(width, normed=stage > 0), halving, *finished(2 * width)])
            channels = 2 * width
        beside = stddev(spec, last=True)
        last = nn.Conv2d(channels + sum(each.added for each in beside), channels, 3, 1, 1)
        blocks.append([*beside, last, *finished(channels)])
        base = resolution // 2**depth
        head = Head(channels * base * base, spec.minibatch, kind, classes)
        super().__init__(blocks, [nn.Flatten()], head, concatenated)


def _activation(name: str) -> nn.Module:
    return nn.LeakyReLU(SLOPE) if name == "leaky_relu" else activation(name, "")
