"""The DCGAN family (Radford et al. 2016) at any even resolution from 8 to 256."""

from __future__ import annotations

from torch import Tensor, nn

from pipeline.games.networks.head import Head, ImageDiscriminator
from pipeline.games.networks.layers import activation, dropout, norm_2d, stddev, through
from pipeline.schema.networks import DcganDiscriminatorSpec, DcganSpec


class Generator(nn.Module):
    """(batch, latent size + classes) -> images (batch, channels, resolution, resolution) in [-1, 1]."""

    def __init__(
        self, spec: DcganSpec, latent_size: int, classes: int, shape: tuple[int, ...], bounded: bool = True
    ) -> None:
        """Images are bounded, and it is for images alone."""
        super().__init__()
        channels, resolution, _ = shape
        width, *narrower = spec.widths(resolution)[::-1]
        base = resolution // 2 ** (len(narrower) + 1)
        self.base_shape, self.latent_size = (width, base, base), latent_size
        self.normed_by_class = spec.norm == "conditional_batch"
        self.project = nn.Linear(latent_size + (0 if self.normed_by_class else classes), width * base * base)
        layers: list[nn.Module] = [*norm_2d(spec.norm, width, classes), activation(spec.activation, "generator")]
        for narrow in narrower:
            layers += [nn.ConvTranspose2d(width, narrow, 4, 2, 1), *norm_2d(spec.norm, narrow, classes)]
            layers += [activation(spec.activation, "generator")]
            width = narrow
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(width, channels, 4, 2, 1), nn.Tanh())

    def forward(self, inputs: Tensor) -> Tensor:
        condition = inputs[:, self.latent_size :]
        projected = self.project(inputs[:, : self.latent_size] if self.normed_by_class else inputs)
        return through(self.layers, projected.view(-1, *self.base_shape), condition)

    def latent_weights(self) -> Tensor:
        """What latents are multiplied by, (outputs, latent size)."""
        weight: Tensor = self.project.weight
        return weight[:, : self.latent_size]


class Discriminator(ImageDiscriminator):
    """Images (batch, channels, resolution, resolution) -> scores (batch,), as Head; no norm at its input."""

    def __init__(self, spec: DcganDiscriminatorSpec, shape: tuple[int, ...], kind: str | None, classes: int) -> None:
        channels, resolution, _ = shape
        widths = spec.widths(resolution)
        concatenated = kind == "concatenation"
        channels += classes if concatenated else 0
        blocks: list[list[nn.Module]] = []  # the stages
        for stage, width in enumerate(widths):
            beside = stddev(spec, last=stage == len(widths) - 1)
            block: list[nn.Module] = [*beside, nn.Conv2d(channels + sum(each.added for each in beside), width, 4, 2, 1)]
            block += norm_2d(spec.norm, width) if stage else []
            block += [activation(spec.activation, "discriminator"), *dropout(spec)]
            channels = width
            blocks.append(block)
        base = resolution // 2 ** len(widths)
        head = Head(channels * base * base, spec.minibatch, kind, classes)
        super().__init__(blocks, [nn.Flatten()], head, concatenated)
