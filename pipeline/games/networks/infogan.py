"""The networks of Lucic et al. 2018, InfoGAN's (Chen et al. 2016; google/compare_gan at b8ebb17, abstract_gan.py)."""

from __future__ import annotations

from torch import Tensor, nn

from pipeline.games.networks.head import Head, ImageDiscriminator
from pipeline.games.networks.layers import activation, dropout, norm_1d, norm_2d, stddev, through
from pipeline.schema.published import InfoganDiscriminatorSpec, InfoganSpec

SHRUNK = 4  # times, by the two convolutions of stride 2


class Generator(nn.Module):
    """(batch, latent size + classes) -> images (batch, channels, resolution, resolution) in [-1, 1]: two linear layers
    and two transposed convolutions. Theirs ends in a sigmoid, as its images are in [0, 1]."""

    def __init__(
        self, spec: InfoganSpec, latent_size: int, classes: int, shape: tuple[int, ...], bounded: bool = True
    ) -> None:
        """Images are bounded, and it is for images alone."""
        super().__init__()
        channels, resolution, _ = shape
        base, width = resolution // SHRUNK, 2 * spec.width
        self.latent_size = latent_size
        self.normed_by_class = spec.norm == "conditional_batch"
        inputs, features = latent_size + (0 if self.normed_by_class else classes), width * base * base
        act = spec.activation or "leaky_relu"
        self.layers = nn.Sequential(
            nn.Linear(inputs, spec.units),
            *norm_1d(spec.norm, spec.units, classes),
            activation(act, "generator"),
            nn.Linear(spec.units, features),
            *norm_1d(spec.norm, features, classes),
            activation(act, "generator"),
            nn.Unflatten(1, (width, base, base)),
            nn.ConvTranspose2d(width, spec.width, 4, 2, 1),
            *norm_2d(spec.norm, spec.width, classes),
            activation(act, "generator"),
            nn.ConvTranspose2d(spec.width, channels, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        start = inputs[:, : self.latent_size] if self.normed_by_class else inputs
        return through(self.layers, start, inputs[:, self.latent_size :])

    def latent_weights(self) -> Tensor:
        """What latents are multiplied by, (outputs, latent size)."""
        first = self.layers[0]
        assert isinstance(first, nn.Linear)
        return first.weight[:, : self.latent_size]


class Discriminator(ImageDiscriminator):
    """Images (batch, channels, resolution, resolution) -> scores (batch,), as Head; no norm at its input."""

    def __init__(self, spec: InfoganDiscriminatorSpec, shape: tuple[int, ...], kind: str | None, classes: int) -> None:
        channels, resolution, _ = shape
        concatenated = kind == "concatenation"
        channels += classes if concatenated else 0
        base, width = resolution // SHRUNK, 2 * spec.width

        def activated() -> list[nn.Module]:
            return [activation(spec.activation, "discriminator"), *dropout(spec)]

        beside = stddev(spec, last=True)
        features = (width + sum(each.added for each in beside)) * base * base
        blocks: list[list[nn.Module]] = [
            [nn.Conv2d(channels, spec.width, 4, 2, 1), *activated()],
            [nn.Conv2d(spec.width, width, 4, 2, 1), *norm_2d(spec.norm, width), *activated()],
            [*beside, nn.Flatten(), nn.Linear(features, spec.units), *norm_1d(spec.norm, spec.units), *activated()],
        ]
        super().__init__(blocks, [], Head(spec.units, spec.minibatch, kind, classes), concatenated)
