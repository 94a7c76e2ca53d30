"""How samples of one kind of data are compared with real ones: the features, the reference, the distance."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor


class Measure(Protocol):
    """Made once a run as (dataset, cache, device, features), the last as a spec's evaluation names them. What
    reference() gives is for metrics() and distance() alone."""

    name: str  # of the features: with the hash of an extractor's weights
    extracts: bool  # whether features are others than the samples, and worth to be kept

    def features(self, samples: Tensor) -> Tensor:
        """(N, width) float32 on the host."""
        ...

    def reference(self, features: Tensor, count: int) -> Any:
        """Of a real part's features; `count`: samples that will be compared with them."""
        ...

    def metrics(self, reference: Any, features: Tensor) -> dict[str, float]:
        """All metrics of generated samples by their features."""
        ...

    def distance(self, reference: Any, features: Tensor) -> dict[str, float]:
        """The metric that has a floor, alone."""
        ...

    def modes(self, features: Tensor) -> dict[str, float]:
        """What is found of modes that are known; nothing where they are not."""
        ...
