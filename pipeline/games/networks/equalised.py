"""Layers with an equalised learning rate (Karras et al. 2018, sec. 4.1; tkarras/progressive_growing_of_gans,
networks.py, get_weight): weights are N(0, 1) and scaled as they are used, so that an optimiser that makes steps of one
size, as Adam does, changes all layers at one relative rate."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

from pipeline.games.networks.layers import OfClass

GAIN = math.sqrt(2)  # of leaky relu in the code of Karras et al. 2018 (He et al. 2015 for relu)


class EqualisedLinear(nn.Module):
    """(batch, inputs) -> (batch, outputs): weights times gain / sqrt(inputs), and a bias that starts at `bias` (None:
    there is none).

    lr_multiplier: the factor of its learning rate (Karras et al. 2019, app. C). Weights start larger by its inverse,
    and weights and bias are multiplied by it as they are used, so that what the layer gives at the start does not
    depend on it.
    """

    def __init__(
        self, inputs: int, outputs: int, *, gain: float = 1.0, lr_multiplier: float = 1.0, bias: float | None = 0.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_multiplier)
        self.bias = None if bias is None else nn.Parameter(torch.full((outputs,), bias / lr_multiplier))
        self.scale, self.lr_multiplier = gain * lr_multiplier / math.sqrt(inputs), lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight * self.scale, _scaled(self.bias, self.lr_multiplier))


class EqualisedConv2d(nn.Module):
    """(batch, inputs, H, W) -> (batch, outputs, H, W): weights times gain / sqrt(inputs * kernel^2); the rest as
    EqualisedLinear. `kernel` is an odd number."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, gain: float = 1.0, lr_multiplier: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel) / lr_multiplier)
        self.bias: nn.Parameter | None = nn.Parameter(torch.zeros(outputs))
        self.scale, self.lr_multiplier = gain * lr_multiplier / math.sqrt(inputs * kernel**2), lr_multiplier
        self.stride, self.padding = 1, kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        bias = _scaled(self.bias, self.lr_multiplier)
        return conv2d(x, self.weight * self.scale, bias, self.stride, self.padding)


def equalise(head: nn.Module) -> None:
    """Makes every linear layer within one of equalised learning rate and gain 1. Of what is fed a class, one-hot, one
    input is not 0, and what it gives is multiplied with features: its weights are scaled by the number of outputs."""
    for module in list(head.modules()):
        for name, layer in list(module.named_children()):
            if isinstance(layer, nn.Linear):
                inputs, outputs = layer.in_features, layer.out_features
                gain = math.sqrt(inputs / outputs) if isinstance(layer, OfClass) else 1.0
                bias = None if layer.bias is None else 0.0
                setattr(module, name, EqualisedLinear(inputs, outputs, gain=gain, bias=bias))


def _scaled(bias: Tensor | None, lr_multiplier: float) -> Tensor | None:
    return bias if bias is None or lr_multiplier == 1 else bias * lr_multiplier
