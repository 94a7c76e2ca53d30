"""How samples of one kind of data are compared with real ones: the features, the reference, the distance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from torch import Tensor


class Labelled(NamedTuple):
    """Features (N, width) float32, and their classes (N,) int64 where they are known."""

    features: Tensor
    labels: Tensor | None = None


@dataclass(frozen=True)
class Real:
    """What a reference is made of."""

    part: Labelled  # the whole part that is compared with
    training: Callable[[], Labelled]  # what the networks are trained on, made when it is asked for
    count: int  # samples that will be compared


class Measure(Protocol):
    """Made once a run as (dataset, cache, device, features), the last as a spec's evaluation names them. What
    reference() gives is for the methods below it alone."""

    name: str  # of the features: with the hash of an extractor's weights
    extracts: bool  # whether features are others than the samples, and worth to be kept

    def features(self, samples: Tensor) -> Tensor:
        """(N, width) float32 on the host."""
        ...

    def reference(self, real: Real) -> Any: ...

    def metrics(self, reference: Any, features: Tensor) -> tuple[dict[str, float], dict[str, float]]:
        """All metrics of generated samples by their features, and the standard errors, over redraws of the samples, of
        those that have one."""
        ...

    def signals(self, reference: Any, metrics: dict[str, float]) -> dict[str, float]:
        """What health rules see of the metrics."""
        ...

    def distance(self, reference: Any, features: Tensor) -> dict[str, float]:
        """The metric that has a floor, alone."""
        ...

    def nearest(self, reference: Any, features: Tensor) -> Tensor | None:
        """The number of the training sample that is nearest to each, (N,); None where nobody would look at it."""
        ...

    def modes(self, features: Tensor) -> dict[str, float]:
        """What is found of modes that are known; nothing where they are not."""
        ...
