"""Small runs of the real loop on the ring, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.metrics.evaluator import Asked, Evaluator
from pipeline.record.measurement import Measurement
from pipeline.schema.trial import DataSpec, TrialSpec
from pipeline.training.loop import Task, training
from pipeline.training.store import Store

OBJECTIVE = "sliced_wasserstein"
EVERY, EVALUATIONS, BATCH = 320, 6, 32


def spec(**changes: Any) -> TrialSpec:
    """Six evaluations, ten steps between two of them."""
    tree: dict[str, Any] = {
        "data": {"name": "ring8"},
        "budget": {"images": EVERY * EVALUATIONS},
        "evaluation": {"every": EVERY, "samples": 200},
        "latent": {"size": 2},
        "generator": {"network": "mlp", "width": 16, "depth": 2, "norm": "batch"},
        "discriminator": {"network": "mlp", "width": 16, "depth": 2, "norm": "spectral"},
        "regularisers": {"r1": {"weight": 0.1, "interval": 3}},
        "optimiser": {"lr_g": 1e-3, "lr_d": 1e-3, "discriminator_steps": 3, "schedule": "linear"},
        "ema": {"half_life": 1000.0},
        "batch_size": BATCH,
        "device": "cpu",
        "precision": "fp32",
        "memory_format": "contiguous",
    }
    return TrialSpec.model_validate(tree | changes)


@cache
def evaluator() -> Evaluator:
    return Evaluator.open(DataSpec(name="ring8"), Asked(200), Path("nothing-is-cached-for-points"), None, "cpu")


def run(folder: Path, seed: int = 1, **changes: Any) -> Iterator[Measurement]:
    return training(Task(spec(**changes), seed, OBJECTIVE), evaluator(), Store(folder))


def last_state(folder: Path) -> dict[str, Any]:
    """What the newest checkpoint holds, without the clock."""
    found = Store(folder).newest()
    assert found is not None
    return {name: value for name, value in found[1]["state"].items() if name != "seconds"}


def facts(measurement: Measurement) -> dict[str, Any]:
    """What is the same for the same training: all but clocks and the checkpoint's hash, which covers the clock."""
    tree = measurement.as_dict()
    return {name: tree[name] for name in ("images", "metrics", "signals", "features", "samples")}


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal to the bit, tensors within mappings and lists too."""
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return bool(one == other)
