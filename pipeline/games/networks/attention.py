"""Self-attention over the pixels of a feature map."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d


class SelfAttention(nn.Module):
    """x + gamma * attention(x), (batch, C, H, W), with a gamma that starts at 0.

    Zhang et al. 2019, eq. 1 to 3, as in BigGAN's code (ajbrock/BigGAN-PyTorch, layers.py): queries and keys of C / 8
    channels, values of C / 2, keys and values max-pooled to a quarter of the pixels, no biases.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow, half = max(channels // 8, 1), max(channels // 2, 1)
        self.query = nn.Conv2d(channels, narrow, 1, bias=False)
        self.key = nn.Conv2d(channels, narrow, 1, bias=False)
        self.value = nn.Conv2d(channels, half, 1, bias=False)
        self.out = nn.Conv2d(half, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        queries = self.query(x).flatten(2)  # (batch, C / 8, pixels)
        keys, values = (max_pool2d(made(x), 2).flatten(2) for made in (self.key, self.value))
        shares = (queries.transpose(1, 2) @ keys).softmax(2)  # (batch, pixels, pixels / 4)
        attended = (values @ shares.transpose(1, 2)).unflatten(2, x.shape[2:])
        out: Tensor = x + self.gamma * self.out(attended)
        return out
