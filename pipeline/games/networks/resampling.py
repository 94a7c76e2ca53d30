"""Resampling by the taps 1 3 3 1, with zeros beyond the edge (Karras et al. 2020, after Zhang 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d


class _Filter(nn.Module):
    """What has the kernel (1, 1, 4, 4), of sum 1, a copy for each channel: one convolution in as many groups is much
    faster than one of as many images."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("kernel", (taps[:, None] * taps).view(1, 1, 4, 4), persistent=False)

    def of(self, x: Tensor) -> Tensor:
        return self.kernel.to(x.dtype).expand(x.shape[1], -1, -1, -1)


class Resample(_Filter):
    """(batch, C, H, W) to twice the size or half of it."""

    def __init__(self, up: bool) -> None:
        super().__init__()
        self.up = up

    def forward(self, x: Tensor) -> Tensor:
        kernel, channels = self.of(x), x.shape[1]
        if self.up:
            return conv_transpose2d(x, 4 * kernel, stride=2, padding=1, groups=channels)
        return conv2d(x, kernel, stride=2, padding=1, groups=channels)


class Blur(_Filter):
    """(batch, C, H, W) -> (batch, C, H + 2 padding - 3, W + 2 padding - 3), times `gain`: beside a convolution of
    stride 2, whose resampling it is."""

    def __init__(self, padding: int, gain: float = 1.0) -> None:
        super().__init__()
        self.padding, self.gain = padding, gain

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, self.gain * self.of(x), padding=self.padding, groups=x.shape[1])
