"""Points: compared as they are, by a sliced Wasserstein distance, and a mixture by its modes."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from pipeline.data.dataset import Dataset
from pipeline.data.said import shown
from pipeline.errors import InputError
from pipeline.metrics.measure import Real
from pipeline.metrics.modes import mode_metrics, projected, sliced_wasserstein, sliced_wasserstein_with_error
from pipeline.schema.features import AUTO, problem


class PointMeasure:
    name, extracts = "points", False

    def __init__(self, dataset: Dataset, cache: Path, device: torch.device | str, features: str = AUTO) -> None:
        if wrong := problem(features, shown(dataset.name), dataset.kind, dataset.classes > 1):
            raise InputError(wrong)
        self._dataset = dataset

    def features(self, samples: Tensor) -> Tensor:
        return samples.cpu()

    def reference(self, real: Real) -> Tensor:
        """The sorted projections of as many as are generated."""
        return projected(real.part.features[: real.count])

    def metrics(self, reference: Tensor, features: Tensor) -> tuple[dict[str, float], dict[str, float]]:
        distance, error = sliced_wasserstein_with_error(reference, features)
        return {**self.modes(features), "sliced_wasserstein": distance}, {"sliced_wasserstein": error}

    def signals(self, reference: Tensor, metrics: dict[str, float]) -> dict[str, float]:
        return {}

    def distance(self, reference: Tensor, features: Tensor) -> dict[str, float]:
        return {"sliced_wasserstein": sliced_wasserstein(reference, features)}

    def nearest(self, reference: Tensor, features: Tensor) -> None:
        return None

    def modes(self, features: Tensor) -> dict[str, float]:
        data = self._dataset
        return {} if data.means is None or data.sigma is None else mode_metrics(features, data.means, data.sigma)
