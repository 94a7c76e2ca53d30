"""Feature extractors: made once per data set, cached by its fingerprint, named by the hash of their weights."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.data import stacks
from pipeline.data.batches import to_float
from pipeline.data.cache import Entry, cached
from pipeline.data.dataset import Dataset
from pipeline.data.sources import short_name
from pipeline.errors import InputError
from pipeline.metrics import convnet, digits, inception

WIDTH = 64  # features of the small network, at most
SAMPLES_A_FEATURE = 5  # at least: a covariance of fewer is mostly noise
CHUNK = 512  # images
FORMAT = 1  # of the cache: one higher where the extractor is made in another way


@dataclass(frozen=True)
class Extractor:
    """name: "digits-cnn64-1a2b3c4d": data set, kind and number of features, hash of the weights. facts: JSON-able,
    among them a classifier's accuracy on the validation part."""

    name: str
    network: nn.Module
    facts: dict[str, Any]

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """(N, width) float32 on the host, of images (N, C, R, R), uint8 or float in [-1, 1]."""
        device = next(self.network.parameters()).device
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # as on the CPU, to float32's precision
            chunks = [self.network(to_float(chunk.to(device))).float().cpu() for chunk in images.split(CHUNK)]
        return torch.cat(chunks)


def open_extractor(data: Dataset, cache: Path, device: torch.device | str = "cpu") -> Extractor:
    """The extractor of an image set, made if it is not in the cache: a classifier trained on its labels; without
    labels Inception where its weights are on this machine, else a network of random weights."""
    short, samples = short_name(data.name), len(data.validation)
    labelled = data.train_labels is not None and data.classes > 1
    weights_file = None if labelled else inception.weights_path()
    if weights_file:
        return _inception(short, weights_file, samples, device)
    width = max(2, min(WIDTH, samples // SAMPLES_A_FEATURE))
    kind = "digits" if data.name == stacks.NAME else "cnn" if labelled else "random"
    path = cache / "extractors" / f"{short}-{data.fingerprint}-{kind}{width}-v{FORMAT}.safetensors"
    weights, facts = cached(path, lambda: _make(data, kind, width))
    name = f"{short}-{kind}{width}-{weights_hash(weights)}"
    if name != facts["name"]:
        raise InputError(f"{path}: its weights are those of {name}, not of {facts['name']}; delete it")
    with torch.device("meta"):  # no weights drawn: the caller's random state stays as it is
        network = _shell(data, kind, width)
    network.load_state_dict(weights, assign=True)
    return Extractor(name, network.eval().requires_grad_(False).to(device), facts)


def weights_hash(weights: dict[str, Tensor]) -> str:
    """8 hex digits of the SHA-256 of names and values."""
    digest = hashlib.sha256()
    for key in sorted(weights):
        digest.update(key.encode() + weights[key].contiguous().numpy().tobytes())
    return digest.hexdigest()[:8]


def _make(data: Dataset, kind: str, width: int) -> Entry:
    network: nn.Module
    facts: dict[str, Any] = {}
    if kind == "digits":
        network, facts = digits.trained(data, width)
    elif kind == "cnn":
        network, facts["accuracy"] = convnet.trained(data, width)
    else:
        network = convnet.random(data, width)
    weights = {key: value.detach() for key, value in network.state_dict().items()}
    name = f"{short_name(data.name)}-{kind}{width}-{weights_hash(weights)}"
    of = {"name": name, "data": data.name, "fingerprint": data.fingerprint, "kind": kind, "width": width}
    return weights, of | facts


def _shell(data: Dataset, kind: str, width: int) -> nn.Module:
    """The network of a kind, for weights that are there."""
    side = int(data.resolution or 0)
    return digits.DigitStacks(side, width) if kind == "digits" else convnet.ConvNet(data.channels, side, width)


def _inception(short: str, weights: Path, samples: int, device: torch.device | str) -> Extractor:
    width = next((tap for tap in inception.TAPS if tap * SAMPLES_A_FEATURE <= samples), inception.TAPS[-1])
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:8]
    network = inception.Inception(weights, width).requires_grad_(False).to(device)
    return Extractor(f"{short}-inception{width}-{digest}", network, {"kind": "inception", "width": width})
