"""Extractor: a network from images to features, with a name that says of what weights; cached where it was trained."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.data.batches import to_float
from pipeline.data.cache import Entry, cached
from pipeline.data.dataset import Dataset
from pipeline.data.sources import short_name
from pipeline.errors import InputError, one_line

WIDTH = 64  # features of a small network, at most
SAMPLES_A_FEATURE = 5  # at least: a covariance of fewer is mostly noise
CHUNK = 512  # images
FORMAT = 1  # of the cache: one higher where the extractor is made in another way
Trained = tuple[nn.Module, dict[str, Any]]  # a network, and JSON-able facts of it


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


@dataclass(frozen=True)
class Recipe:
    """How the extractor of a data set is made once. kind: as it is in the name. make: the trained network of a width.
    shell: one without weights, for weights that are there."""

    kind: str
    make: Callable[[Dataset, int], Trained]
    shell: Callable[[Dataset, int], nn.Module]


def kept(data: Dataset, cache: Path, device: torch.device | str, recipe: Recipe) -> Extractor:
    """The extractor by a recipe, made where it is not in the cache."""
    short, kind = short_name(data.name), recipe.kind
    width = max(2, min(WIDTH, len(data.validation) // SAMPLES_A_FEATURE))
    path = cache / "extractors" / f"{short}-{data.fingerprint}-{kind}{width}-v{FORMAT}.safetensors"
    weights, facts = cached(path, lambda: _made(data, width, recipe))
    name = f"{short}-{kind}{width}-{weights_hash(weights)}"
    if name != facts["name"]:
        raise InputError(f"{path}: its weights are those of {name}, not of {facts['name']}; delete it")
    with torch.device("meta"):  # no weights drawn: the caller's random state stays as it is
        network = recipe.shell(data, width)
    network.load_state_dict(weights, assign=True)
    return Extractor(name, network.eval().requires_grad_(False).to(device), facts)


def weights_hash(weights: dict[str, Tensor]) -> str:
    """8 hex digits of the SHA-256 of names and values."""
    digest = hashlib.sha256()
    for key in sorted(weights):
        digest.update(key.encode() + weights[key].contiguous().numpy().tobytes())
    return digest.hexdigest()[:8]


def file_hash(path: Path) -> str:
    """8 hex digits of the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:8]


def weights_of(path: Path) -> dict[str, Tensor]:
    """The state dict in a file that torch wrote, of tensors alone: nothing in it is run. Raises InputError for what is
    none."""
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of damaged files torch raises anything
        raise InputError(
            f"evaluation.features: {path} does not load ({one_line(error)}); valid: a state dict"
        ) from None
    if not isinstance(weights, dict):
        raise InputError(f"evaluation.features: {path} has a {type(weights).__name__}; valid: a state dict")
    return weights


def _made(data: Dataset, width: int, recipe: Recipe) -> Entry:
    network, facts = recipe.make(data, width)
    weights = {key: value.detach() for key, value in network.state_dict().items()}
    name = f"{short_name(data.name)}-{recipe.kind}{width}-{weights_hash(weights)}"
    of = {"name": name, "data": data.name, "fingerprint": data.fingerprint, "kind": recipe.kind, "width": width}
    return weights, of | facts
