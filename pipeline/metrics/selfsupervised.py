"""Features of images without labels: a network that learns to tell some images of the training part from each other."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from pipeline.data.dataset import Dataset
from pipeline.metrics.convnet import one_thread, shell, train
from pipeline.metrics.extractor import Extractor, Recipe, Trained, kept

IMAGES = 1_000  # that are told apart
EPOCHS = 100
# How far a view is from its image: shares of a side, octaves, degrees, and what is added to values in [-1, 1].
SHIFT, SCALE, STRETCH, TURN, CUT, BRIGHTNESS, CONTRAST = 0.15, 0.2, 0.1, 15.0, 0.3, 0.2, 0.3


def opened(data: Dataset, cache: Path, device: torch.device | str) -> Extractor:
    """The extractor, trained where it is not in the cache."""
    return kept(data, cache, device, Recipe("selfsup", trained, shell))


def trained(data: Dataset, width: int) -> Trained:
    """Exemplar training (Dosovitskiy et al. 2014): each of IMAGES training images is a class of its own, shown in
    views of it. facts: loss, the cross entropy of the last batch in nats. The same each time."""
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        images = data.train[torch.randperm(len(data.train))[:IMAGES]]
        network = shell(data, width)
        classify = nn.Sequential(network, nn.ReLU(), nn.Linear(width, len(images)))
        loss = train(classify, images, torch.arange(len(images)), views, EPOCHS)
    return network, {"loss": loss, "images": len(images)}


def views(images: Tensor) -> Tensor:
    """Images (N, C, R, R) moved, scaled, stretched, turned, of another brightness and contrast, and with a square of
    their mean colour on them, each as drawn from torch's generator. Neither blurred nor noisy: features are to tell
    blur and noise; not mirrored: a mirrored digit is none."""
    count, side = len(images), images.shape[2]

    def drawn(*axes: int) -> Tensor:
        return torch.rand(count, *axes) * 2 - 1

    angle, size, stretch = TURN * math.pi / 180 * drawn(), torch.exp2(SCALE * drawn()), torch.exp2(STRETCH * drawn())
    across = torch.stack([angle.cos() * size * stretch, -angle.sin() * size], 1)
    down = torch.stack([angle.sin() * size, angle.cos() * size / stretch], 1)
    matrix = torch.cat([torch.stack([across, down], 1), 2 * SHIFT * drawn(2, 1)], 2)
    grid = nn.functional.affine_grid(matrix, list(images.shape), align_corners=False)
    moved = nn.functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    lit = (moved + 1) * torch.exp2(CONTRAST * drawn(1, 1, 1)) - 1 + BRIGHTNESS * drawn(1, 1, 1)
    apart = (torch.arange(side) + 0.5 - side * torch.rand(2, count, 1)).abs() < CUT * side / 2
    square = (apart[0][:, None, :] & apart[1][:, :, None])[:, None]
    return torch.where(square, lit.mean((2, 3), keepdim=True), lit)
