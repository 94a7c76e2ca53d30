"""Inception features through torchmetrics, where its weights lie on this machine already; never a download."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn

from pipeline.data.batches import to_uint8

WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"  # as torch-fidelity names what it downloads
TAPS = (2048, 768, 192, 64)  # features at torch-fidelity's four places in the network


def weights_path() -> Path | None:
    """Where the weights are; None where they, or torch-fidelity, which torchmetrics needs for them, are not."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS
    return path if path.is_file() and importlib.util.find_spec("torch_fidelity") else None


class Inception(nn.Module):
    """(N, C, R, R) in [-1, 1] -> (N, width) features of Inception v3; width one of 64, 192, 768, 2048."""

    def __init__(self, weights: Path, width: int) -> None:
        from torchmetrics.image.fid import NoTrainInceptionV3

        super().__init__()
        self.network = NoTrainInceptionV3("inception-v3-compat", [str(width)], str(weights))

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.network(to_uint8(images).expand(-1, 3, -1, -1))
        return features
