"""The metrics that have a name, as facts that need no torch; imported by the specs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import InputError


@dataclass(frozen=True)
class Metric:
    """A row."""

    kind: str  # the data it is for, or "any"
    minimise: bool  # whether less is better
    floored: bool = False  # it is a distance that has a floor
    mixture: bool = False  # the data's modes must be known
    share: bool = False  # it is between 0 and 1
    made: str | None = None  # "module:function" of metrics/own.Evaluated; None: it comes with its kind's measure


METRICS: dict[str, Metric] = {
    "fid": Metric("image", minimise=True, floored=True),
    "precision": Metric("image", minimise=False, share=True),
    "recall": Metric("image", minimise=False, share=True),
    "density": Metric("image", minimise=False),
    "coverage": Metric("image", minimise=False, share=True),
    "sliced_wasserstein": Metric("points", minimise=True, floored=True),
    "reverse_kl": Metric("any", minimise=True, mixture=True),
    "modes": Metric("any", minimise=False, mixture=True),
    "high_quality": Metric("points", minimise=False, mixture=True, share=True),
}


def known(name: str, own: Mapping[str, bool]) -> Metric:
    """What is known of a metric; of several domains it has a domain's name behind it, as fid.b. own: the user's own
    ones, with whether less is better; KeyError for neither."""
    name = name.partition(".")[0]
    return METRICS[name] if name in METRICS else Metric("any", minimise=own[name])


def measured_on(kind: str, mixture: bool) -> list[str]:
    """The metrics that data of this kind have."""
    return [name for name, it in METRICS.items() if it.kind in (kind, "any") and (mixture or not it.mixture)]


def own_metrics(tree: Mapping[str, Any]) -> dict[str, bool]:
    """The metrics of one's own in a sweep's tree, that a spec has been made of, with whether less is better."""
    found = (tree.get("evaluation") or {}).get("metrics") or {}
    return {name: metric["minimise"] for name, metric in found.items()}


def check_objective(
    objective: str, data: str, kind: str, mixture: bool, source: str, own: Mapping[str, bool] | None = None
) -> None:
    """Raises InputError for an objective that is not measured on this kind of data."""
    if objective in (own or {}):
        return
    measured = measured_on(kind, mixture)
    if objective not in measured:
        what = (
            "data of known modes" if METRICS[objective].mixture else f"{METRICS[objective].kind.removesuffix('s')} data"
        )
        raise InputError(
            f'{source}: objective: found "{objective}", which is for {what}; valid on {data}: {", ".join(measured)}'
        )
