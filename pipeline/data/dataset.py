"""Dataset: the three disjoint parts of one data set, the same on every machine and for every seed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.data import columns, sources
from pipeline.data.batches import REAL
from pipeline.data.cache import Entry, cached
from pipeline.data.rows import Kept, Rows, chunks, fits, whole
from pipeline.data.said import Read
from pipeline.errors import InputError
from pipeline.schema.datasets import lookup
from pipeline.schema.kinds import KINDS
from pipeline.schema.rows import at
from pipeline.schema.trial import DataSpec, LowSpec

SPLIT_SEED = 20260101  # fixed for ever: the parts do not depend on the sweep's seed
HELD_OUT = 10_000  # at most, for validation and for test each
FORMAT = 2  # of the cache: one higher where samples are decoded, resized or split in another way
PARTS = ("train", "validation", "test")
Made = tuple[Mapping[str, Kept], dict[str, Any]]  # an Entry that may not be in memory yet
SMALLEST = 100  # samples, under which a held-out fifth says nothing


@dataclass(frozen=True)
class Dataset:
    """train, validation, test: images uint8 (N, C, H, W), or points float32 (N, D). labels: int64 (N,).
    classes: 0 without labels. means (modes, 2) and sigma: of a mixture. modes: 0 where they
    are not known. fingerprint: the first 16 hex digits of the
    SHA-256 of all parts. class_names: none where they are numbers. read: what was read, in a line.

    A table is here as it is trained on and measured, each column brought to mean 0 and deviation 1 by those of the
    training part: centre, scale (D,), float64; None where nothing was done. unstandardised: the fingerprint that it
    would have without."""

    name: str
    kind: str
    train: Tensor
    validation: Tensor
    test: Tensor
    train_labels: Tensor | None
    validation_labels: Tensor | None
    test_labels: Tensor | None
    classes: int
    fingerprint: str
    channels: int
    resolution: int | None
    means: Tensor | None = None
    sigma: float | None = None
    modes: int = 0
    notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    read: str = ""
    centre: Tensor | None = None
    scale: Tensor | None = None
    unstandardised: str | None = None
    paired: bool = False  # each sample of a domain has its partner in the other one, at the same place of the same part
    low: LowSpec | None = None  # how the small images are made that it is to be enlarged from
    # Of data of several domains each as a data set of its own, by name; the fields above are then the first one's.
    domains: Mapping[str, Dataset] = field(default_factory=dict)

    def part(self, name: str) -> Tensor:
        """The part called "train", "validation" or "test"."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return parts[name]

    @property
    def has_partners(self) -> bool:
        """Whether what is made of its samples, in their order, can be compared with an image that it should be."""
        return self.paired or self.low is not None

    @property
    def partners(self) -> dict[str, bool]:
        """has_partners, and whether they are the originals of small images, for a record: what is so alone."""
        return {name: True for name, so in (("paired", self.has_partners), ("low", self.low is not None)) if so}

    def own_units(self, rows: Tensor) -> Tensor:
        """Samples as they came: a table's in float64, all else as it is."""
        return columns.own_units(rows, self.centre, self.scale)


def load(spec: DataSpec, root: Path | None, cache: Path) -> Dataset:
    """The data set that `spec` names. root: where downloaded sets lie (None: in the cache).

    Image sets are kept, decoded and resized, in the cache, but for a user's function, which is called each time
    and must return the same each time. Raises InputError for data that is not there or cannot be read.
    """
    dataset = _loaded(spec, root, cache)
    if spec.paired:
        dataset = _paired(dataset)
    return replace(dataset, low=spec.low) if spec.low else dataset


def _paired(dataset: Dataset) -> Dataset:
    """The data set whose domains are pairs: of as many samples, which were split in one way."""
    counts = {name: len(domain.train) for name, domain in dataset.domains.items()}
    if len(set(counts.values())) != 1 or len(counts) < 2:
        shown = ", ".join(f"{count:,} of {name}" for name, count in counts.items()) or "one domain"
        raise InputError(f"data.paired: found {shown} in the training part of {dataset.name}; valid: as many of each")
    domains = {name: replace(domain, paired=True) for name, domain in dataset.domains.items()}
    return replace(dataset, paired=True, domains=domains)


def _loaded(spec: DataSpec, root: Path | None, cache: Path) -> Dataset:
    known = lookup(spec.name)
    if known is not None and known.drawn:
        drawn: Dataset = at(known.made)(spec, root, cache)
        return drawn
    if known is None:
        split = {name: _split(spec.name, source) for name, source in sources.of_function(spec).items()}
        return several({name: assembled(spec, _taken(made)) for name, made in _finished(spec.name, split).items()})
    key = sources.cache_key(spec)
    return assembled(spec, cached(cache / "data" / f"{key}-v{FORMAT}.safetensors", lambda: _parts(spec, root, cache)))


def several(domains: dict[str, Dataset]) -> Dataset:
    """One data set of several domains; the only one itself."""
    first = next(iter(domains.values()))
    if len(domains) == 1:
        return first
    if len({(domain.kind, domain.train.shape[1:]) for domain in domains.values()}) > 1:
        shapes = ", ".join(f"{name} {tuple(domain.train.shape[1:])}" for name, domain in domains.items())
        raise InputError(f"{first.name}: found domains of several shapes ({shapes}); valid: one shape")
    together = " ".join(f"{name} {domain.fingerprint}" for name, domain in domains.items())
    return replace(
        first,
        fingerprint=hashlib.sha256(together.encode()).hexdigest()[:16],
        read="; ".join(f"{name}: {domain.read}" for name, domain in domains.items()),
        notes=tuple(dict.fromkeys(note for domain in domains.values() for note in domain.notes)),
        domains=domains,
    )


def _parts(spec: DataSpec, root: Path | None, cache: Path) -> Made:
    (entry,) = _finished(spec.name, {REAL: _split(spec.name, sources.read(spec, root, cache))}).values()
    return entry


def _taken(made: Made) -> Entry:
    return {name: whole(tensor) for name, tensor in made[0].items()}, made[1]


def _split(name: str, source: sources.Source) -> Made:
    """Training, validation and test part, with what is to be said of them. What does not fit into memory twice is
    taken when it is written."""
    count = len(source.samples)
    if count < SMALLEST:
        raise InputError(f"{name}: found {count} samples; valid: at least {SMALLEST}")
    order = torch.from_numpy(np.random.RandomState(SPLIT_SEED).permutation(count))
    held = min(count // 5 + (count % 5 > 0), HELD_OUT)
    if source.test is not None:
        index = {"validation": order[:HELD_OUT], "train": order[HELD_OUT:]}
    else:
        index = {"validation": order[:held], "test": order[held : 2 * held], "train": order[2 * held :]}
    later = not fits(source.samples.numel() * source.samples.element_size())
    tensors: dict[str, Kept] = {
        part: Rows(source.samples, at) if later else source.samples[at] for part, at in index.items()
    }
    if source.labels is not None:
        tensors |= {f"{part}_labels": source.labels[at] for part, at in index.items()}
    if source.test is not None:
        tensors["test"] = source.test
        assert source.test_labels is not None
        tensors["test_labels"] = source.test_labels
    said = {
        "kind": source.kind,
        "notes": list(source.notes),
        "class_names": list(source.class_names),
        "read": Read(
            *(name, *_counted(tensors), source.class_names, source.kind, source.found, source.origin, source.left_out)
        ).line(),
    }
    return tensors, said


def parted(spec: DataSpec, samples: Tensor, labels: Tensor) -> Dataset:
    """Images at hand as a data set."""
    (entry,) = _finished(spec.name, {REAL: _split(spec.name, sources.Source(samples, labels))}).values()
    return assembled(spec, _taken(entry))


def _finished(name: str, domains: dict[str, Made]) -> dict[str, Made]:
    """Each domain with its fingerprint; tables, whose columns have units of their own, standardised by one measure of
    them all, so that they stay where they are to each other."""
    trains = [tensors["train"] for tensors, _ in domains.values()]
    tables = all(said["kind"] == "points" for _, said in domains.values())
    if not tables or len({train.shape[1:] for train in trains}) > 1:  # the latter is refused
        return {domain: (tensors, facts_of(tensors) | said) for domain, (tensors, said) in domains.items()}
    units = columns.measure(torch.cat([whole(train) for train in trains]))
    return {domain: _standardised(name, *_taken(entry), units) for domain, entry in domains.items()}


def _standardised(name: str, tensors: dict[str, Tensor], said: dict[str, Any], units: columns.Columns) -> Made:
    before = facts_of({key: value.float() if key in PARTS else value for key, value in tensors.items()})["fingerprint"]
    tensors |= {part: columns.standardised(tensors[part], units) for part in PARTS}
    return tensors, said | {
        "fingerprint": columns.fingerprint(before, units),
        "unstandardised": before,
        "centre": units.centre.tolist(),
        "scale": units.scale.tolist(),
        "notes": [*said["notes"], columns.note(name, units)],
    }


def _counted(tensors: Mapping[str, Kept]) -> tuple[int, tuple[int, ...], list[int]]:
    """Samples of all parts, the shape of one, and the samples of each class, none without labels."""
    samples = sum(len(tensors[part]) for part in PARTS)
    labels = [whole(tensors[f"{part}_labels"]) for part in PARTS if f"{part}_labels" in tensors]
    return samples, tuple(tensors["train"].shape[1:]), torch.bincount(torch.cat(labels)).tolist() if labels else []


def facts_of(tensors: Mapping[str, Kept]) -> dict[str, Any]:
    """Their fingerprint."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        for chunk in chunks(tensor):
            digest.update(chunk.numpy().data)
    return {"fingerprint": digest.hexdigest()[:16]}


def assembled(spec: DataSpec, entry: Entry, means: Tensor | None = None, sigma: float | None = None) -> Dataset:
    """The data set of tensors by the names of its parts, and of what is said of them."""
    tensors, facts = entry
    train, labels = tensors["train"], tensors.get("train_labels")
    kind, (samples, shape, counts) = KINDS[facts.get("kind", "image")], _counted(tensors)
    return Dataset(
        name=spec.name,
        kind=kind.name,
        train=train,
        validation=tensors["validation"],
        test=tensors["test"],
        train_labels=labels,
        validation_labels=tensors.get("validation_labels"),
        test_labels=tensors.get("test_labels"),
        classes=len(counts),
        fingerprint=facts["fingerprint"],
        channels=train.shape[1] if kind.pixels else 0,
        resolution=train.shape[2] if kind.pixels else None,
        means=means,
        sigma=sigma,
        modes=0 if means is None else len(means),
        notes=tuple(facts.get("notes", ())),
        class_names=tuple(facts.get("class_names", ())),
        read=facts.get("read") or Read(spec.name, samples, shape, counts, kind=kind.name).line(),
        centre=torch.tensor(facts["centre"], dtype=torch.float64) if "centre" in facts else None,
        scale=torch.tensor(facts["scale"], dtype=torch.float64) if "scale" in facts else None,
        unstandardised=facts.get("unstandardised"),
    )
