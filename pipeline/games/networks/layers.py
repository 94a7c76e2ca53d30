"""What the network families share: norms, activations, initialisations, and layers that are told more than x."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from pipeline.schema.layers import group_size

SLOPE = 0.2  # of leaky_relu, as in Radford et al. 2016

PIECES = 5  # of a maxout unit, as in PacGAN's networks

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(SLOPE),
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "elu": nn.ELU,
}


class Told(nn.Module):
    """A layer whose forward is told more than x, by through(): D's randomness, G's condition."""


class Dropout(Told):
    """Sets a share of the values to 0 and scales the others up, in training alone, or `always` where it is the noise
    that a generator has; randomness is an argument."""

    def __init__(self, share: float, always: bool = False) -> None:
        super().__init__()
        self.share, self.always = share, always

    def forward(self, x: Tensor, randomness: torch.Generator | None) -> Tensor:
        if not (self.training or self.always):
            return x
        if randomness is None:
            raise ValueError("dropout needs its randomness as an argument")
        kept = torch.rand(x.shape, generator=randomness, device=x.device) >= self.share
        return x * kept.to(x.dtype) / (1 - self.share)


class Maxout(nn.Module):
    """(batch, PIECES * width) -> (batch, width), the largest of each PIECES values (Goodfellow et al. 2013)."""

    def forward(self, x: Tensor) -> Tensor:
        largest: Tensor = x.unflatten(1, (-1, PIECES)).amax(2)
        return largest


class MinibatchStddev(nn.Module):
    """Adds one channel, or feature, that has one value: the standard deviation of each value over a group of samples,
    the mean of them (Karras et al. 2018, sec. 3). A batch that `group` does not divide is in the largest groups
    below it that do. As in their code a group's samples are apart in the batch: 0, M, 2 M, ... of M groups."""

    added = 1

    def __init__(self, group: int) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """(batch, C, ...) -> (batch, C + 1, ...)."""
        grouped = x.float().unflatten(0, (group_size(len(x), self.group), -1))
        # 1e-8: a group of equal samples has a finite gradient.
        deviations = (grouped.var(0, unbiased=False) + 1e-8).sqrt()  # (groups, C, ...)
        values = deviations.flatten(1).mean(1).repeat(len(grouped)).to(x.dtype)
        added = values.view(-1, *[1] * (x.dim() - 1)).expand(-1, 1, *x.shape[2:])
        return torch.cat([x, added], 1)


class OfClass(nn.Linear):
    """(batch, classes), one-hot -> (batch, size): a vector for each class."""

    gain = 1.0  # of init fixup, as ScaledConv2d's

    def __init__(self, classes: int, size: int) -> None:
        super().__init__(classes, size, bias=False)


class ScaledConv2d(nn.Conv2d):
    """A convolution that init fixup gives weights of the deviation gain / sqrt(inputs), or 0."""

    gain = 1.0


class ConditionalBatchNorm(Told):
    """Batch norm whose gain (1 + W y) and bias are of the class (Dumoulin et al. 2017), for any number of axes."""

    def __init__(self, channels: int, classes: int, flat: bool) -> None:
        super().__init__()
        self.norm: nn.Module = (nn.BatchNorm1d if flat else nn.BatchNorm2d)(channels, affine=False)
        self.gain, self.bias = OfClass(classes, channels), OfClass(classes, channels)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        axes = (*x.shape[:2], *[1] * (x.dim() - 2))
        normed: Tensor = self.norm(x)
        gain, bias = self.gain(condition), self.bias(condition)
        out: Tensor = normed * (1 + gain).view(axes) + bias.view(axes)
        return out


class Residual(Told):
    """The sum of what the layers make of x, and of what the shortcut makes of it: x itself where it has no layers."""

    def __init__(self, layers: list[nn.Module], shortcut: list[nn.Module]) -> None:
        super().__init__()
        self.layers, self.shortcut = nn.Sequential(*layers), nn.Sequential(*shortcut)

    def forward(self, x: Tensor, told: Any) -> Tensor:
        return through(self.layers, x, told) + through(self.shortcut, x, told)


def through(layers: nn.Sequential, x: Tensor, told: Any) -> Tensor:
    """x through the layers; those that are told more are given `told` too."""
    for layer in layers:
        x = layer(x, told) if isinstance(layer, Told) else layer(x)
    return x


def split(layers: nn.Sequential, ends: list[int]) -> list[list[nn.Module]]:
    """The layers up to each of `ends`, as blocks."""
    return [list(layers[start:end]) for start, end in zip([0, *ends], ends, strict=False)]


def activation(name: str | None, side: str) -> nn.Module:
    """None: relu for the generator, leaky_relu for the discriminator (Radford et al. 2016)."""
    return ACTIVATIONS[name or ("relu" if side == "generator" else "leaky_relu")]()


def hidden_1d(spec: Any, inputs: int, side: str, norm: str, classes: int = 0) -> list[nn.Module]:
    """A hidden layer of an MLP: linear, norm, activation."""
    maxout = spec.activation == "maxout"
    width = spec.width * (PIECES if maxout else 1)
    last = Maxout() if maxout else activation(spec.activation, side)
    return [nn.Linear(inputs, width), *norm_1d(norm, width, classes), last]


def stddev(spec: Any, last: bool) -> list[MinibatchStddev]:
    """The layer before a block of the discriminator; none but before the last one."""
    return [MinibatchStddev(spec.group)] if last and spec.minibatch == "stddev" else []


def dropout(spec: Any) -> list[nn.Module]:
    """The layer after an activation of the discriminator; none where the share is 0."""
    return [Dropout(spec.dropout)] if spec.dropout else []


def norm_2d(name: str, channels: int, classes: int = 0) -> list[nn.Module]:
    """The norm after a convolution; spectral is a wrapper of the convolution itself, not a layer."""
    if name == "batch":
        return [nn.BatchNorm2d(channels)]
    if name == "instance":
        return [nn.InstanceNorm2d(channels, affine=True)]
    if name == "layer":
        return [nn.GroupNorm(1, channels)]
    if name == "conditional_batch":
        return [ConditionalBatchNorm(channels, classes, flat=False)]
    return []


def norm_1d(name: str, width: int, classes: int = 0) -> list[nn.Module]:
    if name == "batch":
        return [nn.BatchNorm1d(width)]
    if name == "layer":
        return [nn.LayerNorm(width)]
    if name == "conditional_batch":
        return [ConditionalBatchNorm(width, classes, flat=True)]
    return []


def initialise(network: nn.Module, name: str, randomness: torch.Generator) -> None:
    """Weights of linear and convolutional layers by `name`, biases 0. normal: N(0, 0.02) (Radford et al. 2016).
    kaiming goes by a layer's inputs, but of one that is fed a class, one-hot, by its outputs: one input is not 0.
    fixup: N(0, gain / sqrt(inputs)), with the gain that the layer was built with (Huang et al. 2024).
    equalised: as such layers draw themselves (games/networks/equalised.py)."""
    if name == "equalised":
        return
    for layer in network.modules():
        if not isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            continue
        if name == "normal":
            nn.init.normal_(layer.weight, 0.0, 0.02, generator=randomness)
        elif name == "xavier":
            nn.init.xavier_uniform_(layer.weight, generator=randomness)
        elif name == "orthogonal":
            nn.init.orthogonal_(layer.weight, generator=randomness)
        elif name == "fixup":
            deviation = getattr(layer, "gain", 1.0) / layer.weight[0].numel() ** 0.5
            nn.init.normal_(layer.weight, 0.0, deviation, generator=randomness)
        else:
            mode: Literal["fan_in", "fan_out"] = "fan_out" if isinstance(layer, OfClass) else "fan_in"
            nn.init.kaiming_normal_(layer.weight, a=SLOPE, mode=mode, generator=randomness)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def wrap_spectral(network: nn.Module) -> None:
    """Spectral norm (Miyato et al. 2018) on every linear and convolutional layer; after initialise()."""
    for layer in list(network.modules()):
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            spectral_norm(layer)
