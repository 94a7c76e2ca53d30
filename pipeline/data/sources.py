"""Where samples come from before they are split: scikit-learn, torchvision, a folder of images, a user's function."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.data import folder
from pipeline.data.batches import REAL
from pipeline.data.kinds import kind_of
from pipeline.data.labels import numbered as labels_of
from pipeline.data.said import shown
from pipeline.errors import InputError, one_line
from pipeline.plugin import resolve
from pipeline.schema.datasets import DOMAINS, FOLDERS, lookup, places
from pipeline.schema.kinds import KINDS
from pipeline.schema.rows import at
from pipeline.schema.trial import DataSpec

_DOMAIN = re.compile(r"[A-Za-z][A-Za-z0-9]*")
SLUG = 180  # characters: the longest name of a file in the cache has 73 more, and 255 are a file's most


@dataclass(frozen=True)
class Source:
    """samples: images uint8 (N, C, H, W) or points float64 (N, D). labels: int64 (N,). test: an official test part.
    class_names: none where they are numbers from 0 up. found, origin, left_out: see said.Read."""

    samples: Tensor
    labels: Tensor | None = None
    test: Tensor | None = None
    test_labels: Tensor | None = None
    notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    found: str = ""
    origin: str = ""
    left_out: str = ""
    kind: str = "image"


def cache_key(spec: DataSpec) -> str:
    """A file name for the decoded data: another one for other files or another resolution."""
    size = f"-{spec.resolution}" if spec.resolution else ""
    if not spec.name.startswith("imagefolder:"):
        return f"{spec.name}{size}"
    path = folder.path_of(spec.name)
    # As originals images are looked at once more; what comes of them is the same.
    return f"folder-{slug(path.name)}{size}{'-large' if spec.low else ''}-{folder.signature(path)}"


def read(spec: DataSpec, root: Path | None, cache: Path) -> Source:
    """All samples of a set that has a name, at the spec's resolution."""
    known = lookup(spec.name)
    assert known is not None  # a user's function is of_function()'s
    source: Source = at(known.made)(spec, root, cache)
    return _resized(source, spec.resolution)


def images(spec: DataSpec, root: Path | None, cache: Path) -> Source:
    """A folder of images."""
    assert spec.resolution is not None  # the spec sees to it
    if spec.low:
        folder.check_large(folder.path_of(spec.name), spec.resolution)
    content = folder.read(folder.path_of(spec.name), spec.resolution, cache)
    return Source(content.images, content.labels, **{name: getattr(content, name) for name in folder.SAID})


def short_name(name: str) -> str:
    """A data set's name as part of a file's or an extractor's name."""
    if name.startswith("imagefolder:"):
        return slug(folder.path_of(name).name)
    if name.startswith(FOLDERS):
        return "_".join(short_name(place)[: SLUG // len(DOMAINS)] for place in places(name))
    return slug(name.rpartition(":")[2] if ".py:" in name else name)


def slug(text: str) -> str:
    """As long as leaves room for what else is in the name of a file in the cache."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")[:SLUG] or "data"


def digits(spec: DataSpec, root: Path | None, cache: Path) -> Source:
    """scikit-learn's 1,797 8x8 digits, whose values 0 to 16 become 0 to 255."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = torch.from_numpy(np.rint(bunch.images * (255 / 16)).astype(np.uint8))
    return Source(images[:, None], torch.from_numpy(bunch.target.astype(np.int64)))


def of_function(spec: DataSpec) -> dict[str, Source]:
    """What a user's function(resolution) returns, a tensor or (tensor, labels), as the domain REAL; or several such by
    the domains' names."""
    function = resolve(spec.name)
    if not callable(function):
        raise InputError(f'"{spec.name}": found a {type(function).__name__}; valid: a function of the resolution')
    try:
        made = function(spec.resolution)
    except (Exception, SystemExit) as error:
        raise InputError(f'"{spec.name}" failed: {one_line(error, -1)}') from error
    if not isinstance(made, Mapping):
        return {REAL: _resized(_made(spec, made), spec.resolution)}
    if len(made) < 2 or not all(isinstance(name, str) and _DOMAIN.fullmatch(name) for name in made):
        raise InputError(
            f'"{spec.name}": returned the domains {", ".join(map(str, made)) or "none"}; valid: two or more, named by '
            "letters and digits"
        )
    return {name: _resized(_made(spec, each), spec.resolution) for name, each in made.items()}


def _made(spec: DataSpec, made: Any) -> Source:
    """One domain of what the function returned."""
    samples, labels = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    try:
        samples = torch.as_tensor(samples).cpu()
    except (TypeError, ValueError, RuntimeError):
        raise InputError(f'"{spec.name}": returned {_described(made)}; valid: a tensor, or (tensor, labels)') from None
    kind = kind_of(samples)
    valid = f"valid: {', or '.join(each.of.RETURNED for each in KINDS.values())}"
    if kind is None:
        raise InputError(f'"{spec.name}": returned {_described(samples)}; {valid}')
    if samples.is_floating_point() and not bool(samples.isfinite().all()):
        raise InputError(f'"{spec.name}": returned {_described(samples)}, or values that are not finite; {valid}')
    try:
        source = Source(kind.of.kept(samples), kind=kind.name)
    except ValueError as error:
        raise InputError(f'"{spec.name}": {error}; {valid}') from None
    notes = kind.of.notes(samples)
    if labels is not None:
        numbered = labels_of(f'"{spec.name}"', labels, len(source.samples))
        notes += numbered.notes
        source = replace(source, labels=numbered.labels, class_names=numbered.names)
    return replace(source, notes=tuple(f"{shown(spec.name)}: {note}" for note in notes))


def _described(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a {str(value.dtype).removeprefix('torch.')} tensor of shape {tuple(value.shape)}"
    return f"a {type(value).__name__}"


def _resized(source: Source, resolution: int | None) -> Source:
    kind = KINDS[source.kind]
    if resolution is None or not kind.pixels or source.samples.shape[2] == resolution:
        return source
    test = None if source.test is None else kind.of.resized(source.test, resolution)
    origin = f"{source.samples.shape[3]} x {source.samples.shape[2]}"
    return replace(source, samples=kind.of.resized(source.samples, resolution), test=test, origin=origin)
