"""Layers with an equalised learning rate (Karras et al. 2018, sec. 4.1): weights are N(0, 1) and scaled as they are
used, so that an optimiser that normalises gradients changes all layers at one relative rate."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear


class EqualisedLinear(nn.Module):
    """(batch, inputs) -> (batch, outputs): weights times gain / sqrt(inputs), and a bias that starts at `bias`.

    lr_multiplier: the factor of its learning rate. Weights start larger by its inverse, and weights and bias are
    multiplied by it as they are used.
    """

    def __init__(
        self, inputs: int, outputs: int, *, gain: float = 1.0, lr_multiplier: float = 1.0, bias: float = 0.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), bias / lr_multiplier))
        self.scale, self.lr_multiplier = gain * lr_multiplier / math.sqrt(inputs), lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight * self.scale, self.bias * self.lr_multiplier)


class EqualisedConv2d(nn.Module):
    """(batch, inputs, H, W) -> (batch, outputs, H, W): weights times gain / sqrt(inputs * kernel^2); the rest as
    EqualisedLinear."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, gain: float = 1.0, lr_multiplier: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel) / lr_multiplier)
        self.bias: nn.Parameter | None = nn.Parameter(torch.zeros(outputs))
        self.scale, self.lr_multiplier = gain * lr_multiplier / math.sqrt(inputs * kernel**2), lr_multiplier
        self.stride, self.padding = 1, kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias * self.lr_multiplier
        return conv2d(x, self.weight * self.scale, bias, self.stride, self.padding)
