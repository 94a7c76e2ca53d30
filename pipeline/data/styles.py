"""Data of two domains: two folders of images, split each by itself, and the digits in two styles."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from pipeline.data import dataset as datasets
from pipeline.data import folder
from pipeline.data.dataset import PARTS, SPLIT_SEED, Dataset
from pipeline.data.kinds import images
from pipeline.schema.datasets import DOMAINS, places
from pipeline.schema.trial import DataSpec

SIDE = 16  # of the digits in two styles, twice their own: translators halve them twice


def folders(spec: DataSpec, root: Path | None, cache: Path) -> Dataset:
    """Each folder as it is read alone, with the files of the cache that it has then. Where one is grey and the other
    in colour, the grey one has three equal channels."""
    specs = [spec.model_copy(update={"name": place, "paired": False}) for place in places(spec.name)]
    if spec.paired:
        folder.check_pairs(*(folder.path_of(each.name) for each in specs))
    domains = dict(zip(DOMAINS, (datasets.load(each, root, cache) for each in specs), strict=True))
    if len({domain.channels for domain in domains.values()}) > 1:
        domains = {name: _coloured(domain) for name, domain in domains.items()}
    domains = {
        name: replace(each, notes=tuple(f"{name}: {note}" for note in each.notes)) for name, each in domains.items()
    }
    return replace(datasets.several(domains), name=spec.name)


def outlines(spec: DataSpec, root: Path | None, cache: Path) -> Dataset:
    """The digits, light on dark, in b, and the outline of each in a: how much brighter its brightest neighbour is."""
    digits = datasets.load(DataSpec(name="digits"), root, cache)
    samples = torch.cat([digits.part(part) for part in PARTS])
    labels = torch.cat([each for part in PARTS if (each := getattr(digits, f"{part}_labels")) is not None])
    drawn = images.resized(samples, spec.resolution or SIDE)
    around = torch.nn.functional.max_pool2d(drawn.float(), 3, 1, 1).to(torch.uint8)
    made = {"a": around - drawn, "b": drawn}
    return datasets.several({name: datasets.parted(spec, each, labels) for name, each in made.items()})


def opened(spec: DataSpec, root: Path | None, cache: Path) -> Dataset:
    """Half of the digits as they are, light on dark, and the other half dark on light: no digit is in both."""
    digits = datasets.load(DataSpec(name="digits"), root, cache)
    samples = torch.cat([digits.part(part) for part in PARTS])
    labels = torch.cat([each for part in PARTS if (each := getattr(digits, f"{part}_labels")) is not None])
    order = torch.from_numpy(np.random.RandomState(SPLIT_SEED).permutation(len(samples)))
    halves = dict(zip(DOMAINS, order.tensor_split(len(DOMAINS)), strict=True))
    made = {}
    for name, index in halves.items():
        drawn = samples[index] if name == "a" else 255 - samples[index]
        made[name] = datasets.parted(spec, images.resized(drawn, spec.resolution or SIDE), labels[index])
    return datasets.several(made)


def _coloured(grey: Dataset) -> Dataset:
    if grey.channels == 3:
        return grey
    train, validation, test = (grey.part(part).expand(-1, 3, -1, -1).contiguous() for part in PARTS)
    fingerprint = hashlib.sha256(f"{grey.fingerprint} in colour".encode()).hexdigest()[:16]
    note = "its images are grey and those of the other domain are not: they have three equal channels"
    coloured = replace(grey, train=train, validation=validation, test=test, channels=3)
    return replace(coloured, fingerprint=fingerprint, notes=(*grey.notes, note))
