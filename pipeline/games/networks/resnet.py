"""The residual family: SNGAN's blocks (Miyato et al. 2018, app. B.4) and BigGAN's (Brock et al. 2019, app. B)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.errors import InputError
from pipeline.games.networks.attention import SelfAttention
from pipeline.games.networks.head import Head, ImageDiscriminator
from pipeline.games.networks.layers import OfClass, Residual, activation, dropout, norm_2d, stddev, through
from pipeline.schema.residual import ResnetDiscriminatorSpec, ResnetSpec


class Generator(nn.Module):
    """(batch, latent size + classes) -> images (batch, channels, resolution, resolution) in [-1, 1].

    The norm before the last convolution is of no class and no chunk of the latent, as in BigGAN's code.
    """

    def __init__(
        self, spec: ResnetSpec, latent_size: int, classes: int, shape: tuple[int, ...], bounded: bool = True
    ) -> None:
        """Images are bounded, and it is for images alone."""
        super().__init__()
        channels, resolution, _ = shape
        outputs = spec.widths(resolution)[::-1]
        base, width = resolution // 2 ** len(outputs), outputs[0]
        self.normed_by_class = spec.norm == "conditional_batch"
        self.chunks = _chunks(spec, latent_size, len(outputs) + 1)
        self.latent_size, self.base_shape = latent_size, (width, base, base)
        self.project = nn.Linear(self.chunks[0] + (0 if self.normed_by_class else classes), width * base * base)
        blocks: list[nn.Module] = []
        for made, output, chunk in zip(spec.made(resolution)[::-1], outputs, self.chunks[1:], strict=True):
            block: list[nn.Module] = [_up(spec, width, output, chunk + (classes if self.normed_by_class else 0))]
            blocks.append(nn.Sequential(*block, *([SelfAttention(output)] if made == spec.attention else [])))
            width = output
        self.blocks = nn.ModuleList(blocks)
        last = norm_2d("batch" if self.normed_by_class else spec.norm, width)
        made_image = [nn.Conv2d(width, channels, 3, 1, 1), nn.Tanh()]
        self.last = nn.Sequential(*last, activation(spec.activation or "relu", "generator"), *made_image)

    def forward(self, inputs: Tensor) -> Tensor:
        latent, classes = inputs[:, : self.latent_size], inputs[:, self.latent_size :]
        first, *chunks = latent.split(self.chunks, 1)
        x = self.project(first if self.normed_by_class else torch.cat([first, classes], 1)).view(-1, *self.base_shape)
        for block, chunk in zip(self.blocks, chunks, strict=True):
            assert isinstance(block, nn.Sequential)
            x = through(block, x, torch.cat([chunk, classes], 1) if self.normed_by_class else chunk)
        images: Tensor = self.last(x)
        return images

    def latent_weights(self) -> Tensor:
        """What latents are multiplied by, (outputs, latent size): each chunk by the first layer, or by the gains and
        biases of its block."""
        made: list[list[nn.Linear]] = [[self.project]]
        for block, size in zip(self.blocks, self.chunks[1:], strict=True):
            made.append([each for each in block.modules() if isinstance(each, OfClass)] if size else [])
        weights = [
            torch.cat([layer.weight[:, :size] for layer in layers])
            for layers, size in zip(made, self.chunks, strict=True)
            if layers
        ]
        together: Tensor = torch.block_diag(*weights)
        return together


def _chunks(spec: ResnetSpec, latent_size: int, count: int) -> list[int]:
    """The sizes of the chunks that the latent is split into: the first layer's, which has what is left over, and each
    block's, which without skip_latent is 0. InputError where there are fewer values than chunks."""
    if not spec.skip_latent:
        return [latent_size] + [0] * (count - 1)
    if latent_size < count:
        raise InputError(
            f"latent.size: found {latent_size}; generator.skip_latent splits it into {count} chunks, "
            f"valid: at least {count}"
        )
    size = latent_size // count
    return [latent_size - size * (count - 1)] + [size] * (count - 1)


def _up(spec: ResnetSpec, width: int, output: int, told: int) -> Residual:
    """A block that doubles the resolution (Miyato et al. 2018, fig. 8); told: what gains and biases are of."""

    def normed(channels: int) -> list[nn.Module]:
        norm = "conditional_batch" if told else spec.norm
        return [*norm_2d(norm, channels, told), activation(spec.activation or "relu", "generator")]

    return Residual(
        [
            *normed(width),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(width, output, 3, 1, 1),
            *normed(output),
            nn.Conv2d(output, output, 3, 1, 1),
        ],
        [nn.Upsample(scale_factor=2), nn.Conv2d(width, output, 1)],
    )


class SumOfPixels(nn.Module):
    """(batch, C, H, W) -> (batch, C): global sum pooling."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum((2, 3))


class Discriminator(ImageDiscriminator):
    """Images (batch, channels, resolution, resolution) -> scores (batch,), as Head; no norm at its input."""

    def __init__(self, spec: ResnetDiscriminatorSpec, shape: tuple[int, ...], kind: str | None, classes: int) -> None:
        channels, resolution, _ = shape
        concatenated = kind == "concatenation"
        channels += classes if concatenated else 0
        made, widths, kept = spec.made(resolution), spec.widths(resolution), spec.kept(resolution)
        blocks: list[list[nn.Module]] = []
        for number, width in enumerate([*widths, *[widths[-1]] * kept]):
            beside = stddev(spec, last=number == len(widths) + kept - 1)
            channels += sum(each.added for each in beside)
            halved = number < len(widths)
            block: list[nn.Module] = [*beside, _down(spec, (channels, width), number == 0, halved)]
            blocks.append(block + ([SelfAttention(width)] if halved and made[number] == spec.attention else []))
            channels = width
        rest: list[nn.Module] = [*norm_2d(spec.norm, channels), *_activated(spec), SumOfPixels()]
        super().__init__(blocks, rest, Head(channels, spec.minibatch, kind, classes), concatenated)


def _down(spec: ResnetDiscriminatorSpec, channels: tuple[int, int], first: bool, halved: bool) -> Residual:
    """A block of the discriminator (Miyato et al. 2018, fig. 8). The first one has no activation before its first
    convolution, and pools before the shortcut's (their code's OptimizedBlock); channels: before and after it."""
    width, output = channels
    pool: list[nn.Module] = [nn.AvgPool2d(2)] if halved else []
    before = [] if first else [*norm_2d(spec.norm, width), *_activated(spec)]
    layers: list[nn.Module] = [*before, nn.Conv2d(width, output, 3, 1, 1), *norm_2d(spec.norm, output)]
    layers += [*_activated(spec), nn.Conv2d(output, output, 3, 1, 1), *pool]
    if not halved and width == output:
        return Residual(layers, [])
    shortcut: list[nn.Module] = [nn.Conv2d(width, output, 1)]
    return Residual(layers, [*pool, *shortcut] if first else [*shortcut, *pool])


def _activated(spec: ResnetDiscriminatorSpec) -> list[nn.Module]:
    return [activation(spec.activation or "relu", "discriminator"), *dropout(spec)]
