"""Layers of equalised learning rate: weights drawn from N(0, 1) and scaled at run time (Karras et al. 2018, sec. 4.1;
tkarras/progressive_growing_of_gans, networks.py, get_weight)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

from pipeline.games.networks.layers import OfClass

GAIN = math.sqrt(2)  # of leaky relu in their code (He et al. 2015 for relu)


class EqualisedLinear(nn.Linear):
    """(batch, inputs) -> (batch, outputs) with weights times gain / sqrt(inputs): an optimiser that makes steps of one
    size, as Adam does, changes each layer at one rate, whatever its size. lr_multiplier: of that rate (Karras et al.
    2019, app. C); what the layer gives at the start does not depend on it."""

    def __init__(
        self, inputs: int, outputs: int, *, gain: float = GAIN, lr_multiplier: float = 1.0, bias: bool = True
    ) -> None:
        super().__init__(inputs, outputs, bias)
        self.scale, self.lr_multiplier = gain * lr_multiplier / math.sqrt(inputs), lr_multiplier
        _drawn(self, lr_multiplier)

    def forward(self, x: Tensor) -> Tensor:
        bias = self.bias if self.bias is None or self.lr_multiplier == 1 else self.bias * self.lr_multiplier
        return linear(x, self.weight * self.scale, bias)


class EqualisedConv2d(nn.Conv2d):
    """The same of a convolution that keeps the size, `kernel` an odd number: (batch, inputs, H, W) -> (batch, outputs,
    H, W)."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, gain: float = GAIN, lr_multiplier: float = 1.0
    ) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        self.scale = gain * lr_multiplier / math.sqrt(inputs * kernel**2)
        self.lr_multiplier = lr_multiplier
        _drawn(self, lr_multiplier)

    def forward(self, x: Tensor) -> Tensor:
        assert self.bias is not None
        bias = self.bias if self.lr_multiplier == 1 else self.bias * self.lr_multiplier
        return conv2d(x, self.weight * self.scale, bias, padding=self.padding)


def equalise(head: nn.Module) -> None:
    """Makes every linear layer within one of equalised learning rate and gain 1. Of what is fed a class, one-hot, one
    input is not 0, and what it gives is multiplied with features: its weights are scaled by the number of outputs."""
    for module in list(head.modules()):
        for name, layer in list(module.named_children()):
            if isinstance(layer, nn.Linear):
                inputs, outputs = layer.in_features, layer.out_features
                gain = math.sqrt(inputs / outputs) if isinstance(layer, OfClass) else 1.0
                setattr(module, name, EqualisedLinear(inputs, outputs, gain=gain, bias=layer.bias is not None))


@torch.no_grad()
def _drawn(layer: nn.Linear | nn.Conv2d, lr_multiplier: float) -> None:
    """Weights of N(0, 1 / lr_multiplier), of torch's global generator as in any layer, biases 0."""
    nn.init.normal_(layer.weight, 0.0, 1 / lr_multiplier)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
