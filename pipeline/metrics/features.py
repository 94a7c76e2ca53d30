"""Feature extractors: trained or drawn once per data set, cached by its fingerprint, named by their weights' hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.data.batches import to_float
from pipeline.data.cache import Entry, cached
from pipeline.data.dataset import Dataset
from pipeline.data.sources import short_name

WIDTH = 64  # features, at most
SAMPLES_A_FEATURE = 5  # at least: a covariance of fewer is mostly noise
IMAGES = 12_000  # training images, at most
SHOWN = 40_000  # images shown over the training of a classifier
BATCH = 64
FORMAT = 1  # of the cache: one higher where the extractor is made in another way


class ConvNet(nn.Module):
    """(N, C, R, R) in [-1, 1] -> (N, width) features: strided 3x3 convolutions down to 8 x 8 or less, one linear."""

    def __init__(self, channels: int, resolution: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        sizes, stride = [channels, 32, 64], 1 if resolution <= 16 else 2
        side = resolution
        while len(layers) < 4 or side > 8:
            layers += [nn.Conv2d(sizes[0], sizes[1], 3, stride, 1), nn.ReLU()]
            side, stride, sizes = -(-side // stride), 2, [sizes[1], 64]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(sizes[0] * side * side, width))

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images)


@dataclass(frozen=True)
class Extractor:
    """name: "digits-cnn64-1a2b3c4d": data set, kind and number of features, hash of the weights. facts: JSON-able,
    with the classifier's accuracy on the validation part."""

    name: str
    network: nn.Module
    facts: dict[str, Any]

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """(N, width) float32 on the host, of images float in [-1, 1] or uint8, in chunks on the network's device."""
        device = next(self.network.parameters()).device
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return torch.cat([self.network(to_float(chunk.to(device))).float().cpu() for chunk in images.split(512)])

    def to(self, device: torch.device) -> Extractor:
        return Extractor(self.name, self.network.to(device), self.facts)


def open_extractor(data: Dataset, cache: Path) -> Extractor:
    """The extractor of an image set; trained, or drawn where there are no labels, if it is not in the cache."""
    width = max(2, min(WIDTH, len(data.validation) // SAMPLES_A_FEATURE))
    kind = "cnn" if data.train_labels is not None and data.classes > 1 else "random"
    path = cache / "extractors" / f"{short_name(data.name)}-{data.fingerprint}-{kind}{width}-v{FORMAT}.safetensors"
    weights, facts = cached(path, lambda: _make(data, kind, width))
    network = ConvNet(data.channels, int(data.resolution or 0), width)
    network.load_state_dict(weights)
    name = f"{short_name(data.name)}-{kind}{width}-{weights_hash(weights)}"
    if name != facts["name"]:
        raise ValueError(f"{path}: holds weights of {name}, not of {facts['name']}; delete it")
    return Extractor(name, network.eval().requires_grad_(False), facts)


def weights_hash(weights: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for key in sorted(weights):
        digest.update(key.encode() + weights[key].contiguous().numpy().tobytes())
    return digest.hexdigest()[:8]


def _make(data: Dataset, kind: str, width: int) -> Entry:
    with _one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = ConvNet(data.channels, int(data.resolution or 0), width)
        facts: dict[str, Any] = {"data": data.name, "fingerprint": data.fingerprint, "kind": kind, "width": width}
        if kind == "cnn":
            facts["accuracy"] = _train(network, data, width)
        else:
            _calibrate(network, to_float(data.train[:1024]))
    weights = {key: value.detach() for key, value in network.state_dict().items()}
    return weights, {**facts, "name": f"{short_name(data.name)}-{kind}{width}-{weights_hash(weights)}"}


def _train(network: ConvNet, data: Dataset, width: int) -> float:
    """Classifies the training part's labels with a linear head on the features; returns the validation accuracy."""
    assert data.train_labels is not None and data.validation_labels is not None
    images, labels = data.train[:IMAGES], data.train_labels[:IMAGES]
    head = nn.Sequential(nn.ReLU(), nn.Linear(width, data.classes))
    parameters = [*network.parameters(), *head.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=1e-3)
    steps = SHOWN // BATCH
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.02, steps)
    for _ in range(steps):
        index = torch.randint(len(images), (BATCH,))
        loss = nn.functional.cross_entropy(head(network(to_float(images[index]))), labels[index])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        held = data.validation[:2000]
        found = torch.cat([head(network(to_float(chunk))).argmax(1) for chunk in held.split(512)])
        return float((found == data.validation_labels[:2000]).float().mean())


@torch.no_grad()
def _calibrate(network: ConvNet, images: Tensor) -> None:
    """Random layers whose outputs on real images have mean 0 and variance 1 a channel: without it they are nearly
    the same feature over and over."""
    x = images
    for layer in network.body:
        x = layer(x)
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            axes = (0, 2, 3) if x.dim() == 4 else (0,)
            mean, std = x.mean(axes), x.std(axes)
            std = torch.where(std > 0, std, 1.0)
            shape = [-1] + [1] * (layer.weight.dim() - 1)
            layer.weight.div_(std.view(shape))
            assert layer.bias is not None
            layer.bias.sub_(mean).div_(std)
            x = (x - mean.view(1, -1, *[1] * (x.dim() - 2))) / std.view(1, -1, *[1] * (x.dim() - 2))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in another order are other sums: the weights are the same only for the same number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
