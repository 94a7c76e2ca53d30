"""Convolutions whose weights are modulated by a style, and demodulated (Karras et al. 2020, sec. 2.2)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu

from pipeline.games.networks.equalised import EqualisedLinear
from pipeline.games.networks.layers import SLOPE
from pipeline.games.networks.resampling import Blur

KERNEL = 3
Convolve = Callable[[Tensor, Tensor], Tensor]  # of x and weights (outputs, inputs, k, k)


class ScaledLeakyReLU(nn.Module):
    """gain * leaky relu; the root of 2 keeps the size of what goes through it."""

    def __init__(self, gain: float = math.sqrt(2)) -> None:
        super().__init__()
        self.gain = gain

    def forward(self, x: Tensor) -> Tensor:
        return leaky_relu(x, SLOPE) * self.gain


def modulated(x: Tensor, weight: Tensor, styles: Tensor, convolve: Convolve, demodulate: bool = True) -> Tensor:
    """x (batch, I, H, W), of each sample convolved with its own weights: weight (O, I, k, k) times the sample's style
    (batch, I) (Karras et al. 2020, eq. 1), and demodulated, over their norm over I and k (eq. 3).

    Scales what goes into one convolution of the whole batch, and what comes out of it, as the published code does in
    training (NVlabs/stylegan2-ada-pytorch, modulated_conv2d with fused_modconv=False): the same by eq. 1 and 3 being
    linear in the weights, and faster than as many groups as there are samples. convolve: linear in both.
    """
    out = convolve(x * styles[:, :, None, None].to(x.dtype), weight)
    if not demodulate:
        return out
    with torch.autocast(x.device.type, enabled=False):
        # sum over I and k of (s w)^2: of the squares, without the weights of each sample
        norms = styles.float().square() @ weight.float().square().sum((2, 3)).T
        factors = (norms + 1e-8).rsqrt()[:, :, None, None]
    return out * factors.to(out.dtype)


def same(x: Tensor, weight: Tensor) -> Tensor:
    """A convolution as large as its input."""
    return conv2d(x, weight, padding=weight.shape[2] // 2)


def doubling(x: Tensor, weight: Tensor) -> Tensor:
    """A transposed convolution of stride 2, before the blur that makes it one of the upsampled x: by the weights
    turned round, as published, which saves turning them."""
    return conv_transpose2d(x, weight.transpose(0, 1), stride=2)


class StyledConv(nn.Module):
    """(batch, I, H, W), a style each -> (batch, O, ...): a modulated 3 x 3 convolution, of the upsampled input where
    `up`, then noise, one value a pixel, times a learned strength, a bias and leaky relu.

    The noise is drawn anew in training. Without randomness it is the layer's own, drawn once: so evaluations compare
    the same samples and an exported generator needs no randomness. The published code's pictures are of that noise
    too (noise_mode const), its metrics of new one.
    """

    noise: Tensor

    def __init__(self, channels: tuple[int, int], style_size: int, resolution: int, up: bool) -> None:
        """channels: in and out; resolution: that it makes."""
        super().__init__()
        inputs, outputs = channels
        self.affine = EqualisedLinear(style_size, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, KERNEL, KERNEL))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise", torch.randn(1, 1, resolution, resolution))
        self.blur = Blur(1, gain=4.0) if up else None
        self.activation = ScaledLeakyReLU()

    def forward(self, x: Tensor, style: Tensor, randomness: torch.Generator | None) -> Tensor:
        out = modulated(x, self.weight, _styled(self.affine, style), self._convolve)
        noise = self.noise
        if randomness is not None:
            shape = (x.shape[0], 1, *self.noise.shape[2:])
            noise = torch.randn(shape, generator=randomness, device=x.device)
        out = out + (noise * self.strength + self.bias[:, None, None]).to(out.dtype)
        made: Tensor = self.activation(out)
        return made

    def _convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        if self.blur is None:
            return same(x, weight)
        out: Tensor = self.blur(doubling(x, weight))
        return out


class ToImage(nn.Module):
    """(batch, I, H, W), a style each -> (batch, channels, H, W): modulated by 1 x 1, not demodulated."""

    def __init__(self, inputs: int, channels: int, style_size: int) -> None:
        super().__init__()
        self.affine = EqualisedLinear(style_size, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(channels, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        styles = _styled(self.affine, style) / math.sqrt(self.weight.shape[1])
        out = modulated(x, self.weight, styles, same, demodulate=False)
        return out + self.bias[:, None, None].to(out.dtype)


def _styled(affine: EqualisedLinear, style: Tensor) -> Tensor:
    """The factors of a layer's inputs, in float32 under autocast too, as the published code has them."""
    with torch.autocast(style.device.type, enabled=False):
        factors: Tensor = affine(style.float())
    return factors
