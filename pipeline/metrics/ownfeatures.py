"""Features of the user's own, "file.py:object": a network of images, or what makes one."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from pipeline import plugin
from pipeline.data.batches import to_float
from pipeline.data.dataset import Dataset
from pipeline.data.sources import short_name
from pipeline.errors import InputError, with_place
from pipeline.metrics.extractor import Extractor, weights_hash

LOOKED_AT = 4  # images, when it is opened


class OwnFeatures(nn.Module):
    """What the user gave, held to (N, C, R, R) in [-1, 1] -> (N, width)."""

    def __init__(self, where: str, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.where, self.function = where, function  # a module among them is a part of this one
        self.at = nn.Parameter(torch.zeros(0), requires_grad=False)  # says on which device, where it has no weights

    def forward(self, images: Tensor) -> Tensor:
        try:
            features = self.function(images)
        except (Exception, SystemExit) as error:
            raise InputError(f"{self.where} failed: {with_place(error)}") from error
        if not isinstance(features, Tensor) or features.dim() != 2 or len(features) != len(images):
            said = (
                f"a tensor of {tuple(features.shape)}"
                if isinstance(features, Tensor)
                else f"a {type(features).__name__}"
            )
            raise InputError(f"{self.where} gave {said} for {len(images)} images; valid: a tensor (N, width)")
        return features


def own_features(name: str, data: Dataset, device: torch.device | str) -> Extractor:
    """An nn.Module; or a class or function that is called without arguments and gives one; or a function of images.
    Built with the same random numbers each time. Raises InputError for what is none of them or gives no features."""
    where = f'evaluation.features: "{name}"'
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        try:
            resolved = plugin.resolve(name)  # which may draw weights as it is imported
        except InputError as error:
            raise InputError(f"evaluation.features: {error}") from None
        torch.default_generator.manual_seed(0)  # a file is imported once a process
        if not isinstance(resolved, nn.Module) and callable(resolved) and not _takes_images(resolved):
            try:
                resolved = resolved()
            except (Exception, SystemExit) as error:
                raise InputError(f"{where} failed: {with_place(error)}") from error
    if not callable(resolved):
        raise InputError(f"{where} is a {type(resolved).__name__}; valid: an nn.Module, or a function that gives one")
    network = OwnFeatures(where, resolved).eval().requires_grad_(False).to(device)
    width = _looked_at(network, to_float(data.train[:LOOKED_AT]).to(device))
    path, _, attribute = name.rpartition(":")
    label = re.sub(r"\W", "_", f"{path.rpartition('/')[2].removesuffix('.py')}.{attribute}", flags=re.ASCII)
    facts = {"kind": "own", "width": width}
    return Extractor(f"{short_name(data.name)}-{label}{width}-{_hash(name, network)}", network, facts)


def _takes_images(function: Callable[..., Any]) -> bool:
    """Whether it wants an argument: then it is a function of images."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # of a built-in one nothing is known
        return True
    return any(
        each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD) for each in parameters
    )


@torch.no_grad()
def _looked_at(network: OwnFeatures, images: Tensor) -> int:
    """The number of features; InputError where they are not finite, or others for the same images."""
    features, again = network(images), network(images)
    if not bool(features.isfinite().all()):
        raise InputError(f"{network.where} gave features that are not finite; valid: finite ones")
    if not torch.equal(features, again):
        raise InputError(f"{network.where} gave other features for the same images; valid: the same each time")
    return int(features.shape[1])


def _hash(name: str, network: OwnFeatures) -> str:
    """Of its file's text and of the weights: neither alone decides what it gives."""
    weights = {key: value.detach().cpu().float() for key, value in network.state_dict().items() if key != "at"}
    return hashlib.sha256((plugin.text_of(name) + weights_hash(weights)).encode()).hexdigest()[:8]
