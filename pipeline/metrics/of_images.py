"""Images: compared in the features of an extractor, by the Fréchet distance and the manifold's metrics."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.data.dataset import Dataset
from pipeline.metrics.digits import DigitStacks
from pipeline.metrics.features import open_extractor
from pipeline.metrics.frechet import Moments, frechet_distance, real_moments
from pipeline.metrics.manifold import Manifold, manifold_metrics, real_manifold
from pipeline.metrics.modes import label_metrics
from pipeline.schema.features import AUTO


class Reference(NamedTuple):
    moments: Moments  # of the whole part's features
    manifold: Manifold  # of as many as are generated


class ImageMeasure:
    extracts = True

    def __init__(self, dataset: Dataset, cache: Path, device: torch.device | str, features: str = AUTO) -> None:
        self._extractor, self._dataset = open_extractor(dataset, cache, device, features), dataset
        self.name = self._extractor.name

    def features(self, samples: Tensor) -> Tensor:
        return self._extractor(samples)

    def reference(self, features: Tensor, count: int) -> Reference:
        return Reference(real_moments(features), real_manifold(features[:count]))

    def metrics(self, reference: Reference, features: Tensor) -> dict[str, float]:
        distance = self.distance(reference, features)
        return {**distance, **manifold_metrics(reference.manifold, features), **self.modes(features)}

    def distance(self, reference: Reference, features: Tensor) -> dict[str, float]:
        return {"fid": frechet_distance(reference.moments, features)}

    def modes(self, features: Tensor) -> dict[str, float]:
        """Of stacks of digits, told by their classifier."""
        network = self._extractor.network
        return label_metrics(network.modes(features), self._dataset.modes) if isinstance(network, DigitStacks) else {}
