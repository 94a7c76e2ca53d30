"""The classifier that counts the modes of stacked MNIST: one network for each channel's digit, and its features."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from pipeline.data import stacks
from pipeline.data.batches import to_float
from pipeline.data.dataset import Dataset
from pipeline.metrics.convnet import ConvNet, one_thread, train

CHUNK = 512  # stacks


class DigitStacks(nn.Module):
    """(N, 3, R, R) in [-1, 1] -> (N, 3 * width): the features of each channel's digit, side by side."""

    def __init__(self, resolution: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.features = ConvNet(1, resolution, width)
        self.classify = nn.Sequential(nn.ReLU(), nn.Linear(width, stacks.DIGITS))

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.features(images.flatten(0, 1)[:, None])
        return features.view(len(images), -1)

    def maps(self, images: Tensor) -> Tensor:
        """(N, 3 * C, r, r): the activations of the last convolution for each channel's digit, side by side."""
        maps = self.features.maps(images.flatten(0, 1)[:, None])
        return maps.view(len(images), -1, *maps.shape[2:])

    @torch.no_grad()
    def modes(self, features: Tensor) -> Tensor:
        """(N,) modes, 0 to 999, of what forward() gave."""
        device = next(self.parameters()).device
        said: Tensor = self.classify(features.to(device).view(-1, self.width)).argmax(1)
        return stacks.mode_of(said.view(-1, stacks.CHANNELS)).cpu()


def trained(data: Dataset, width: int) -> tuple[DigitStacks, dict[str, Any]]:
    """The classifier trained on the digits of the training part alone, and how many of the other parts' digits it
    tells right; the same each time."""
    assert data.train_labels is not None
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        network = DigitStacks(int(data.resolution or 0), width)
        whole = nn.Sequential(network.features, *network.classify)
        train(whole, data.train.flatten(0, 1)[:, None], stacks.digits_of(data.train_labels).flatten())
        accuracy = {
            "accuracy": _right(network, data.validation, data.validation_labels),
            "test_accuracy": _right(network, data.test, data.test_labels),
        }
    return network, accuracy


@torch.no_grad()
def _right(network: DigitStacks, images: Tensor, modes: Tensor | None) -> float:
    """The share of digits, not of stacks."""
    assert modes is not None
    predicted = torch.cat([network.modes(network(to_float(chunk))) for chunk in images.split(CHUNK)])
    return float((stacks.digits_of(predicted) == stacks.digits_of(modes)).float().mean())
