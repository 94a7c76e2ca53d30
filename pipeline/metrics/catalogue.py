"""The metrics that have a name, as facts that need no torch; imported by the specs."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import InputError


@dataclass(frozen=True)
class Metric:
    """kind: the data it is for; minimise: whether less is better; floored: it is a distance that has a floor;
    mixture: the data's modes must be known."""

    kind: str
    minimise: bool
    floored: bool = False
    mixture: bool = False


METRICS: dict[str, Metric] = {
    "fid": Metric("image", minimise=True, floored=True),
    "precision": Metric("image", minimise=False),
    "recall": Metric("image", minimise=False),
    "density": Metric("image", minimise=False),
    "coverage": Metric("image", minimise=False),
    "sliced_wasserstein": Metric("points", minimise=True, floored=True),
    "reverse_kl": Metric("points", minimise=True, mixture=True),
    "modes": Metric("points", minimise=False, mixture=True),
    "high_quality": Metric("points", minimise=False, mixture=True),
}


def check_objective(objective: str, data: str, kind: str, mixture: bool, source: str) -> None:
    """Raises InputError for an objective that is not measured on this kind of data."""
    measured = [name for name, metric in METRICS.items() if metric.kind == kind and (mixture or not metric.mixture)]
    if objective not in measured:
        what = (
            "a mixture of known modes"
            if METRICS[objective].mixture
            else f"{METRICS[objective].kind.removesuffix('s')} data"
        )
        raise InputError(
            f'{source}: objective: found "{objective}", which is for {what}; valid on {data}: {", ".join(measured)}'
        )
