"""StyleGAN2 (Karras et al. 2020; NVlabs/stylegan2-ada-pytorch, training/networks.py): skip generator, residual
discriminator."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from pipeline.games.game import Draw
from pipeline.games.networks.equalised import EqualisedConv2d, EqualisedLinear
from pipeline.games.networks.head import ImageDiscriminator, MinibatchDiscrimination
from pipeline.games.networks.layers import Residual, dropout, stddev
from pipeline.games.networks.modulated import ScaledLeakyReLU, StyledConv, ToImage
from pipeline.games.networks.resampling import Blur, Resample
from pipeline.schema.styles import Stylegan2DiscriminatorSpec, Stylegan2Spec

BASE = 4  # pixels a side of the lowest resolution
MAPPING_RATE = 0.01  # of the discriminator's mapping network
MEAN_DECAY = 0.995  # of the running mean of the styles, by the batch
Again = Callable[[int, torch.Generator], Tensor]  # draws as many latents


def normalised(x: Tensor) -> Tensor:
    """(batch, size), each row over the root of its mean square."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class Mapping(nn.Module):
    """Latents (batch, latent size), of 0 values where there are none, and classes (batch, classes), one-hot, of which
    an embedding stands beside them -> (batch, size), in float32 under autocast too."""

    def __init__(self, latent_size: int, classes: int, size: int, depth: int, rate: float) -> None:
        super().__init__()
        self.embed = EqualisedLinear(classes, size) if classes else None
        inputs = latent_size + (size if classes else 0)
        layers: list[nn.Module] = []
        for number in range(depth):
            layers += [EqualisedLinear(inputs if number == 0 else size, size, lr_multiplier=rate), ScaledLeakyReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, latent: Tensor, classes: Tensor) -> Tensor:
        with torch.autocast(latent.device.type, enabled=False):
            x = normalised(latent.float()) if latent.shape[1] else latent.float()
            if self.embed is not None:
                x = torch.cat([x, normalised(self.embed(classes.float()))], 1)
            out: Tensor = self.layers(x)
        return out


class Block(nn.Module):
    """What doubles the resolution: two styled convolutions, and what they add to the image so far."""

    def __init__(self, widths: tuple[int, int], channels: int, style_size: int, resolution: int) -> None:
        """widths: in and out; channels: of the image."""
        super().__init__()
        self.up = StyledConv(widths, style_size, resolution, up=True)
        self.conv = StyledConv((widths[1], widths[1]), style_size, resolution, up=False)
        self.image = ToImage(widths[1], channels, style_size)
        self.resample = Resample(up=True)

    def forward(
        self, x: Tensor, image: Tensor, styles: tuple[Tensor, ...], randomness: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        x = self.conv(self.up(x, styles[0], randomness), styles[1], randomness)
        return x, self.resample(image) + self.image(x, styles[2])


class Generator(nn.Module):
    """(batch, latent size + classes) -> images (batch, channels, resolution, resolution) in [-1, 1].

    In training, with a Draw and a function that draws further latents, noise is drawn anew, and in a share of the
    images the styles from a random layer on are those of a second latent (style mixing): of each image by itself, where
    the published code decides for the whole batch. Otherwise a sample is a function of its latent alone. Theirs has no
    tanh at its end: images are in [-1, 1] here.

    mean: the running mean of the styles, kept in training. truncation: what samples' styles are from it, as a share of
    what they were (psi); 1 changes nothing.
    """

    mean: Tensor

    def __init__(
        self, spec: Stylegan2Spec, latent_size: int, classes: int, shape: tuple[int, ...], bounded: bool = True
    ) -> None:
        """Images are bounded, and it is for images alone."""
        super().__init__()
        channels, resolution, _ = shape
        widths, size = spec.widths(resolution), spec.style_size or latent_size
        self.latent_size, self.mixing, self.truncation = latent_size, spec.style_mixing, 1.0
        self.mapping = Mapping(latent_size, classes, size, spec.mapping_depth, spec.mapping_rate)
        self.register_buffer("mean", torch.zeros(size))
        self.const = nn.Parameter(torch.randn(1, widths[0], BASE, BASE))
        self.first = StyledConv((widths[0], widths[0]), size, BASE, up=False)
        self.image = ToImage(widths[0], channels, size)
        pairs = enumerate(itertools.pairwise(widths), 1)
        self.blocks = nn.ModuleList([Block(pair, channels, size, BASE * 2**number) for number, pair in pairs])
        self.count = 2 * len(widths)  # of styles: each convolution's, the last one being that of the last ToImage too

    def forward(
        self, inputs: Tensor, draw: Draw | None = None, again: Again | None = None, told: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """told: gives the images and the styles (batch, count, size) that they were made of."""
        w = self._mapped(inputs)
        styles = self.spread(w)
        randomness = draw.randomness if draw is not None and self.training else None
        if self.training:
            with torch.no_grad():
                self.mean.copy_(w.mean(0).lerp(self.mean, MEAN_DECAY))
        elif self.truncation != 1:
            styles = self.truncated(styles, self.truncation)
        if randomness is not None and again is not None and self.mixing > 0:
            styles = self._mixed(styles, inputs, randomness, again)
        images = self.images(styles, randomness)
        return (images, styles) if told else images

    def styles(self, inputs: Tensor) -> Tensor:
        """The styles (batch, count, size) of latents and classes, not truncated."""
        return self.spread(self._mapped(inputs))

    def spread(self, w: Tensor) -> Tensor:
        """(batch, size) -> (batch, count, size)."""
        return w[:, None].expand(-1, self.count, -1)

    def truncated(self, styles: Tensor, psi: float | Tensor) -> Tensor:
        """mean + psi (style - mean) (Karras et al. 2019, appendix B)."""
        return self.mean + psi * (styles - self.mean)

    def images(self, styles: Tensor, randomness: torch.Generator | None = None) -> Tensor:
        """The images of styles (batch, count, size); noise is each layer's own without randomness."""
        each = styles.unbind(1)
        x = self.first(self.const.expand(styles.shape[0], -1, -1, -1), each[0], randomness)
        image = self.image(x, each[1])
        for number, block in enumerate(self.blocks):
            at = 1 + 2 * number
            x, image = block(x, image, each[at : at + 3], randomness)
        made: Tensor = image.tanh()
        return made

    def latent_weights(self) -> Tensor:
        """What styles are multiplied by in the convolutions, (outputs, size)."""
        convolutions = [module for module in self.modules() if isinstance(module, StyledConv)]
        return torch.cat([each.affine.weight * each.affine.scale for each in convolutions])

    def _mapped(self, inputs: Tensor) -> Tensor:
        w: Tensor = self.mapping(inputs[:, : self.latent_size], inputs[:, self.latent_size :])
        return w

    def _mixed(self, styles: Tensor, inputs: Tensor, randomness: torch.Generator, again: Again) -> Tensor:
        """Each with probability `mixing` with the styles of a second latent, of the same class, from a layer on that is
        drawn from all but the first."""
        count, device = styles.shape[0], styles.device
        second = torch.cat([again(count, randomness), inputs[:, self.latent_size :]], 1)
        start = torch.randint(1, self.count, (count, 1), generator=randomness, device=device)
        kept = torch.rand((count, 1), generator=randomness, device=device) >= self.mixing
        first = (torch.arange(self.count, device=device) < start) | kept  # (batch, count)
        return torch.where(first[:, :, None], styles, self.styles(second))


class EqualisedHead(nn.Module):
    """(batch, features) and the condition (batch, classes), one-hot -> scores (batch,), and with an auxiliary
    classifier the pair of them and the classes' logits. projection: as published, the features' product with what a
    mapping network makes of the class, over the root of its size."""

    def __init__(self, features: int, spec: Stylegan2DiscriminatorSpec, kind: str | None, classes: int) -> None:
        super().__init__()
        self.minibatch = MinibatchDiscrimination(features) if spec.minibatch == "discrimination" else None
        inputs = features + (self.minibatch.added if self.minibatch else 0)
        projected = kind == "projection"
        self.mapping = Mapping(0, classes, features, spec.mapping_depth, MAPPING_RATE) if projected else None
        self.score = EqualisedLinear(inputs, features if projected else 1)
        self.classify = EqualisedLinear(inputs, classes) if kind == "auxiliary_classifier" else None

    def forward(self, features: Tensor, condition: Tensor | None) -> Tensor | tuple[Tensor, Tensor]:
        with torch.autocast(features.device.type, enabled=False):  # as Head
            features = features.float()
            if self.minibatch is not None:
                features = self.minibatch(features)
            scores: Tensor = self.score(features)
            if self.mapping is not None:
                assert condition is not None
                embedded = self.mapping(condition[:, :0], condition)
                scores = (scores * embedded).sum(1, keepdim=True) / math.sqrt(embedded.shape[1])
            scores = scores.squeeze(1)
            return scores if self.classify is None else (scores, self.classify(features))


class Discriminator(ImageDiscriminator):
    """Images (batch, channels, resolution, resolution) -> scores (batch,), as EqualisedHead: residual blocks that halve
    the resolution down to 4 x 4, then a convolution and a linear layer."""

    def __init__(
        self, spec: Stylegan2DiscriminatorSpec, shape: tuple[int, ...], kind: str | None, classes: int
    ) -> None:
        channels, resolution, _ = shape
        concatenated = kind == "concatenation"
        widths = spec.widths(resolution)[::-1]
        entry = EqualisedConv2d(channels + (classes if concatenated else 0), widths[0], 1)
        blocks: list[list[nn.Module]] = []
        for number, pair in enumerate(itertools.pairwise(widths)):
            first: list[nn.Module] = [] if number else [entry, *_activated(spec)]
            blocks.append([*first, _halving(spec, pair)])
        beside, width = stddev(spec, last=True), widths[-1]
        last = EqualisedConv2d(width + sum(each.added for each in beside), width, 3)
        joined = EqualisedLinear(width * BASE**2, width)
        blocks.append([*beside, last, *_activated(spec)])
        rest = [nn.Flatten(), joined, *_activated(spec)]
        super().__init__(blocks, rest, EqualisedHead(width, spec, kind, classes), concatenated)


def _activated(spec: Stylegan2DiscriminatorSpec, gain: float = math.sqrt(2)) -> list[nn.Module]:
    return [ScaledLeakyReLU(gain), *dropout(spec)]


def _halving(spec: Stylegan2DiscriminatorSpec, widths: tuple[int, int]) -> Residual:
    """Two 3 x 3 convolutions, the second of stride 2, beside a 1 x 1 of the halved input, each over the root of 2."""
    down, beside = EqualisedConv2d(*widths, 3), EqualisedConv2d(*widths, 1, gain=math.sqrt(0.5))
    down.stride, down.padding = 2, 0  # behind the blur, which is as much larger
    beside.bias = None
    layers = [EqualisedConv2d(widths[0], widths[0], 3), *_activated(spec), Blur(2), down, *_activated(spec, 1.0)]
    return Residual(layers, [Resample(up=False), beside])
