"""Inception v3 as FID is reported in, where its weights lie on this machine already; never a download."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from pipeline.data.batches import to_uint8
from pipeline.data.dataset import Dataset
from pipeline.data.sources import short_name
from pipeline.errors import InputError
from pipeline.metrics.extractor import Extractor, file_hash, weights_of
from pipeline.schema.features import FEATURES, hub

WIDTH = 2048  # the pooled features of Heusel et al. 2017
CHUNK = 32  # images, each of 299 x 299 in the network


class Inception(nn.Module):
    """(N, C, R, R) in [-1, 1] -> (N, 2048). Resized as TensorFlow 1 does it, without antialias: as the FID of papers is
    computed."""

    def __init__(self, weights: Path) -> None:
        from torchmetrics.image.fid import NoTrainInceptionV3

        super().__init__()
        self.network = NoTrainInceptionV3("inception-v3-compat", [str(WIDTH)], str(weights), antialias=False)

    def forward(self, images: Tensor) -> Tensor:
        features = [self.network(to_uint8(chunk).expand(-1, 3, -1, -1)) for chunk in images.split(CHUNK)]
        return torch.cat(features)


def opened(data: Dataset, cache: Path, device: torch.device | str) -> Extractor:
    """Raises InputError where the file does not hold its weights."""
    (path,) = (hub() / place for place in FEATURES["inception"].files)
    weights_of(path)  # torch-fidelity would run whatever a pickle says
    with torch.random.fork_rng(devices=[]):  # its weights are drawn before they are loaded
        try:
            network = Inception(path)
        except RuntimeError as error:
            said = str(error).splitlines()[0].rstrip(": ")
            raise InputError(f"evaluation.features: {path} is not of this network ({said})") from None
    name = f"{short_name(data.name)}-inception{WIDTH}-{file_hash(path)}"
    return Extractor(name, network.eval().requires_grad_(False).to(device), {"kind": "inception", "width": WIDTH})
