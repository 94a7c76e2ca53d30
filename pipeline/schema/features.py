"""What images are compared in: the features that have a name, as facts that need no torch; imported by the specs."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.schema.kinds import KINDS
from pipeline.schema.names import OBJECT

AUTO = "auto"  # a classifier's where there are labels, else of a network that learned without any


@dataclass(frozen=True)
class Features:
    """A row. made: where its maker is, a function of (Dataset, cache, device) that gives a metrics/extractor.Extractor.

    package: what has to be installed for it, as it is imported. files: by their places in torch.hub's folder, what has
    to lie there. Neither is ever fetched by gansweep.
    """

    made: str
    about: str
    labels: bool = False  # whether it learns from labels
    kinds: tuple[str, ...] = ("image",)  # of data
    package: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)


_HERE = "pipeline.metrics"
FEATURES: dict[str, Features] = {
    "classifier": Features(f"{_HERE}.features:classifier", "a small network trained on the data's labels", labels=True),
    "self_supervised": Features(f"{_HERE}.selfsupervised:opened", "a small network trained on the images alone"),
    "inception": Features(
        f"{_HERE}.inception:opened",
        "the 2048 pooled features of Inception v3, which papers report their FID in",
        package="torch_fidelity",
        files={
            "checkpoints/weights-inception-2015-12-05-6726825d.pth": "https://github.com/toshas/torch-fidelity/"
            "releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth (91 MB)"
        },
    ),
    "dinov2": Features(
        f"{_HERE}.dinov2:opened",
        "the 384 features of DINOv2's ViT-S/14",
        files={
            "facebookresearch_dinov2_main": "a clone of https://github.com/facebookresearch/dinov2",
            "checkpoints/dinov2_vits14_pretrain.pth": "https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14/"
            "dinov2_vits14_pretrain.pth (84 MB)",
        },
    ),
    "random": Features(f"{_HERE}.features:random", "a small network of random weights, to compare others with"),
}


def problem(name: str, data: str, kind: str, labelled: bool, modes: bool = False) -> str | None:
    """Why data of this kind cannot be compared in these features, in a line; None where it can. modes: it has some
    that are counted; those of images are told by their classifier."""
    if name == AUTO:
        return None
    row = FEATURES.get(name)
    if kind not in (row.kinds if row else ("image",)):
        words = f"{KINDS[kind].words}, which are compared as they are"
        return f"evaluation.features: found {name}; {data} is {words}, valid: {AUTO}"
    if modes and name != "classifier":
        return (
            f"evaluation.features: found {name}; the modes of {data} are told by its classifier, valid: {AUTO}, "
            "classifier"
        )
    if row and row.labels and not labelled:
        others = [AUTO, *(other for other, it in FEATURES.items() if not it.labels), OBJECT]
        return f"evaluation.features: found {name}; {data} has no labels, valid: {', '.join(others)}"
    return None


def chosen(name: str, labelled: bool) -> str:
    """The row behind a name, or the user's own; `auto` is never random."""
    return name if name != AUTO else "classifier" if labelled else "self_supervised"


def hub() -> Path:
    """torch.hub's folder, as torch itself looks for it; without torch."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("TORCH_HOME") or f"{cache}/torch").expanduser() / "hub"


def missing(name: str) -> str | None:
    """What this machine lacks for these features and where it goes, in a line; None where all of it is there."""
    row = FEATURES.get(name)
    if row is None:
        return None
    lacks = []
    if row.package and importlib.util.find_spec(row.package) is None:
        lacks.append(f"pip install {row.package.replace('_', '-')}")
    lacks += [f"put at {hub() / at}: {what}" for at, what in row.files.items() if not (hub() / at).exists()]
    return "; ".join(lacks) or None


def measured_in(features: str | None) -> str:
    """' in NAME' behind a number or its name, of an extractor, whose name ends in its weights' hash; nothing where
    samples are compared as they are."""
    return f" in {features}" if features and re.search(r"-[0-9a-f]{8}$", features) else ""
