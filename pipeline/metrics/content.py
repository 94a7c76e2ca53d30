"""What a content loss in features is measured in: the maps of a data set's own extractor (Ledig et al. 2017, eq. 5)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from pipeline.data.batches import to_float
from pipeline.data.dataset import Dataset
from pipeline.metrics.convnet import CALIBRATION, ConvNet, one_thread
from pipeline.metrics.digits import DigitStacks
from pipeline.metrics.extractor import Extractor
from pipeline.schema.features import FEATURES
from pipeline.schema.game import PIXELS
from pipeline.schema.rows import at
from pipeline.schema.trial import TrialSpec


class Content(nn.Module):
    """Images (N, C, R, R) in [-1, 1] -> (N, maps, r, r): the last convolution's activations, over `scale`.

    So those of training images have a mean square of 1, and features count about as much as pixels do; Ledig et al.
    (sec. 3.2) divide VGG's by 12.75 to the same end. Differentiable in the images; its weights are never trained."""

    scale: Tensor

    def __init__(self, extractor: Extractor, data: Dataset) -> None:
        super().__init__()
        network = extractor.network
        assert isinstance(network, ConvNet | DigitStacks)  # what the rows that a game can name make
        self.network = network
        with one_thread(), torch.no_grad():
            seen = self.network.maps(to_float(data.train[:CALIBRATION]))
            self.register_buffer("scale", seen.square().mean().sqrt())

    def forward(self, images: Tensor) -> Tensor:
        return self.network.maps(images) / self.scale


def content_of(spec: TrialSpec, data: Dataset, cache: Path) -> Content | None:
    """What the game's content loss is measured in, on the CPU, taken from the cache or made; None where the game has
    none in features."""
    name = getattr(spec.game, "content_in", PIXELS)
    if name == PIXELS:
        return None
    return Content(at(FEATURES[name].made)(data, cache, "cpu"), data)
