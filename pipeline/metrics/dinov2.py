"""DINOv2 (Oquab et al. 2023) from a clone of its code and a file of its weights on this machine; never a download."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from pipeline.data.dataset import Dataset
from pipeline.data.sources import short_name
from pipeline.errors import InputError, one_line
from pipeline.metrics.extractor import Extractor, file_hash, weights_of
from pipeline.schema.features import FEATURES, hub

MODEL = "dinov2_vits14"  # the smallest; published distances of DINOv2 (Stein et al. 2023) are those of ViT-L/14
SIDE = 224  # pixels that it is shown, 16 patches of 14
CHUNK = 32  # images
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, in which it was trained


class Dinov2(nn.Module):
    """(N, C, R, R) in [-1, 1] -> (N, width), the class token behind the last norm."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([self._features(chunk) for chunk in images.split(CHUNK)])

    def _features(self, images: Tensor) -> Tensor:
        shown = nn.functional.interpolate(
            images.expand(-1, 3, -1, -1), size=(SIDE, SIDE), mode="bicubic", antialias=True, align_corners=False
        )
        mean, std = (torch.tensor(each, device=images.device).view(1, 3, 1, 1) for each in (MEAN, STD))
        features: Tensor = self.network((shown.clamp(-1, 1) / 2 + 0.5 - mean) / std)
        return features


def opened(data: Dataset, cache: Path, device: torch.device | str) -> Extractor:
    """Raises InputError where the code or the weights are not those of the model."""
    code, file = (hub() / place for place in FEATURES["dinov2"].files)
    weights = weights_of(file)
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that xFormers is not there, and works without
            network = torch.hub.load(str(code), MODEL, source="local", pretrained=False, verbose=False)
        network.load_state_dict(weights)
    except (Exception, SystemExit) as error:  # the code is not ours
        raise InputError(f"evaluation.features: dinov2 of {code} does not load: {one_line(error)}") from None
    with torch.no_grad():
        width = Dinov2(network.eval())(torch.zeros(1, 3, 8, 8)).shape[1]
    name = f"{short_name(data.name)}-dinov2s{width}-{file_hash(file)}"
    facts = {"kind": "dinov2", "model": MODEL, "width": width}
    return Extractor(name, Dinov2(network).eval().requires_grad_(False).to(device), facts)
