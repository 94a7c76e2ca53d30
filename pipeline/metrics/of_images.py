"""Images: compared in the features of an extractor, by the Fréchet distance and the manifold's metrics."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.data.dataset import Dataset
from pipeline.metrics.classes import Classes, class_distance, inception_score, told_apart
from pipeline.metrics.digits import DigitStacks
from pipeline.metrics.features import open_extractor
from pipeline.metrics.frechet import Moments, frechet_distance, frechet_error, real_moments
from pipeline.metrics.kernels import kernel_distance, kernel_within, vendi_score
from pipeline.metrics.manifold import Manifold, manifold_metrics, real_manifold
from pipeline.metrics.measure import Real
from pipeline.metrics.memory import Memory, authenticity, nearest, remembered
from pipeline.metrics.modes import label_metrics
from pipeline.schema.features import AUTO


class Reference(NamedTuple):
    moments: Moments  # of the whole part's features
    manifold: Manifold  # of as many as are generated
    memory: Memory  # of what is trained on
    classes: Classes | None  # where there are labels
    within: float  # of the manifold's features, see kernel_within


class ImageMeasure:
    extracts = True

    def __init__(self, dataset: Dataset, cache: Path, device: torch.device | str, features: str = AUTO) -> None:
        self._extractor, self._dataset = open_extractor(dataset, cache, device, features), dataset
        self.name = self._extractor.name

    def features(self, samples: Tensor) -> Tensor:
        return self._extractor(samples)

    def reference(self, real: Real) -> Reference:
        (features, labels), training = real.part, real.training()
        labelled = labels is not None and training.labels is not None and not self._dataset.modes
        classes = None
        if labelled:
            assert labels is not None
            assert training.labels is not None
            classes = told_apart(training.features, training.labels, features, labels)
        some = labels[: real.count] if labels is not None and labelled else None
        manifold = real_manifold(features[: real.count], some)
        memory = remembered(training.features, features)
        return Reference(real_moments(features), manifold, memory, classes, kernel_within(manifold.features))

    def metrics(self, reference: Reference, features: Tensor) -> tuple[dict[str, float], dict[str, float]]:
        values = {
            **self.distance(reference, features),
            **manifold_metrics(reference.manifold, features),
            "kid": kernel_distance(reference.manifold.features, features, reference.within),
            "vendi": vendi_score(features),
            "authenticity": authenticity(reference.memory, features),
        }
        if reference.classes:
            values["class_fid"] = class_distance(reference.classes, features)
            values["inception_score"] = inception_score(reference.classes, features)
        return values | self.modes(features), {"fid": frechet_error(reference.moments, features)}

    def signals(self, reference: Reference, metrics: dict[str, float]) -> dict[str, float]:
        seen = {name: metrics[name] for name in ("coverage", "recall", "worst_class_coverage") if name in metrics}
        return seen | {"memorised_share": 1 - metrics["authenticity"] - reference.memory.held_out}

    def distance(self, reference: Reference, features: Tensor) -> dict[str, float]:
        return {"fid": frechet_distance(reference.moments, features)}

    def nearest(self, reference: Reference, features: Tensor) -> Tensor:
        return nearest(reference.memory, features)[1]

    def modes(self, features: Tensor) -> dict[str, float]:
        """Of stacks of digits, told by their classifier."""
        network = self._extractor.network
        return label_metrics(network.modes(features), self._dataset.modes) if isinstance(network, DigitStacks) else {}
