"""Measurement: what one evaluation of a run found. It crosses from the worker to the driver and into the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Measurement:
    """images: budget spent so far. metrics: what an objective can name (empty where training stopped at a value
    that is not finite, before anything could be evaluated). signals: what health rules see. timings: seconds spent
    since the previous measurement, by activity (train, evaluate, checkpoint). seconds: since the run began, all
    attempts. features: the extractor behind the metrics, with the hash of its weights; distances of different
    extractors are never compared. samples: the sample picture, relative to the run's folder.
    test: the metrics on the test part, at the last evaluations of a run that confirms a finalist.
    errors: standard errors of metrics over redraws of the samples, of those that have one.
    notices: what happened on the way here that a user should know of, such as a checkpoint that was damaged."""

    images: int
    metrics: dict[str, float]
    signals: dict[str, float]
    seconds: float
    timings: dict[str, float] = field(default_factory=dict)
    features: str | None = None
    samples: str | None = None
    checkpoint: str | None = None
    test: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any]) -> Measurement:
        """Takes what as_dict gave."""
        given = {name: tree[name] for name in cls.__dataclass_fields__ if name in tree}
        return cls(**{**given, "notices": tuple(given.get("notices", ()))})
