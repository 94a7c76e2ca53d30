"""What images are compared in: an extractor by its name, made once per data set, named by the hash of its weights."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from pipeline.data import stacks
from pipeline.data.dataset import Dataset
from pipeline.data.said import shown
from pipeline.errors import InputError
from pipeline.metrics import convnet, digits
from pipeline.metrics.extractor import Extractor, Recipe, Trained, kept
from pipeline.metrics.ownfeatures import own_features
from pipeline.schema.features import AUTO, FEATURES, chosen, missing, problem
from pipeline.schema.rows import at

__all__ = ["Extractor", "open_extractor"]


def open_extractor(data: Dataset, cache: Path, device: torch.device | str = "cpu", features: str = AUTO) -> Extractor:
    """The extractor of an image set by a name of schema/features.py or "file.py:object"; what is trained for it is
    taken from the cache, or made. Raises InputError where the data or this machine lack what it needs."""
    labelled = data.train_labels is not None and data.classes > 1
    if wrong := problem(features, shown(data.name), data.kind, labelled, data.modes > 0):
        raise InputError(wrong)
    name = chosen(features, labelled)
    if name not in FEATURES:
        return own_features(name, data, device)
    if lacking := missing(name):
        raise InputError(f"evaluation.features: found {name}, which this machine lacks something for: {lacking}")
    extractor: Extractor = at(FEATURES[name].made)(data, cache, device)
    return extractor


def classifier(data: Dataset, cache: Path, device: torch.device | str) -> Extractor:
    """A network trained on the labels; of stacks of digits one for all three channels."""
    if data.name == stacks.NAME:
        return kept(data, cache, device, Recipe("digits", digits.trained, _stacks))
    return kept(data, cache, device, Recipe("cnn", _classifier, convnet.shell))


def random(data: Dataset, cache: Path, device: torch.device | str) -> Extractor:
    """A network of random weights."""
    return kept(data, cache, device, Recipe("random", lambda *asked: (convnet.random(*asked), {}), convnet.shell))


def _classifier(data: Dataset, width: int) -> Trained:
    network, accuracy = convnet.trained(data, width)
    return network, {"accuracy": accuracy}


def _stacks(data: Dataset, width: int) -> nn.Module:
    return digits.DigitStacks(int(data.resolution or 0), width)
