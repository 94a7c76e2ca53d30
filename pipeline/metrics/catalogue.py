"""The metrics that have a name, as facts that need no torch; imported by the specs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """kind: the data it is for; minimise: whether less is better; floored: it is a distance that has a floor."""

    kind: str
    minimise: bool
    floored: bool = False


METRICS: dict[str, Metric] = {
    "fid": Metric("image", minimise=True, floored=True),
    "precision": Metric("image", minimise=False),
    "recall": Metric("image", minimise=False),
    "density": Metric("image", minimise=False),
    "coverage": Metric("image", minimise=False),
    "sliced_wasserstein": Metric("points", minimise=True, floored=True),
    "reverse_kl": Metric("points", minimise=True),
    "modes": Metric("points", minimise=False),
    "high_quality": Metric("points", minimise=False),
}
