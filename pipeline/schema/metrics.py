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
    labels: bool = False  # the data must have labels, and modes that are not known beside them
    share: bool = False  # it is between 0 and 1
    paired: bool = False  # what is made has a partner among the data, which is known
    low: bool = False  # the data is enlarged: it is of the plain way of doing it, to compare with
    made: str | None = None  # "module:function" of metrics/own.Evaluated; None: it comes with its kind's measure


METRICS: dict[str, Metric] = {
    "fid": Metric("image", minimise=True, floored=True),
    "precision": Metric("image", minimise=False, share=True),
    "recall": Metric("image", minimise=False, share=True),
    "density": Metric("image", minimise=False),
    "coverage": Metric("image", minimise=False, share=True),
    "kid": Metric("image", minimise=True),
    "vendi": Metric("image", minimise=False),
    "authenticity": Metric("image", minimise=False, share=True),
    "worst_class_coverage": Metric("image", minimise=False, share=True, labels=True),
    "class_fid": Metric("image", minimise=True, labels=True),
    "inception_score": Metric("image", minimise=False, labels=True),
    "l1": Metric("image", minimise=True, paired=True, made="pipeline.metrics.partners:l1"),
    "psnr": Metric("image", minimise=False, paired=True, made="pipeline.metrics.partners:psnr"),
    "ssim": Metric("image", minimise=False, paired=True, made="pipeline.metrics.partners:ssim"),
    "bicubic_fid": Metric("image", minimise=True, low=True),
    "bicubic_psnr": Metric("image", minimise=False, low=True),
    "bicubic_ssim": Metric("image", minimise=False, low=True),
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


@dataclass(frozen=True)
class On:
    """What metrics are measured on."""

    data: str  # its name, for messages
    kind: str
    mixture: bool  # its modes are known
    labelled: bool | None  # None: not known yet, the files decide
    domains: tuple[str, ...] = ()  # of several: each metric is measured of each, and has its name behind it
    paired: bool = False  # what is made has a partner that is known
    low: bool = False  # it is enlarged

    def names(self, own: Mapping[str, bool]) -> list[str]:
        """What an objective can be. own: the user's own metrics."""
        all_names = [*self.metrics(), *own]
        return [f"{name}.{domain}" for name in all_names for domain in self.domains] if self.domains else all_names

    def metrics(self) -> list[str]:
        """Those that it has."""
        return [name for name, it in METRICS.items() if it.kind in (self.kind, "any") and self._why_not(it) is None]

    def _why_not(self, metric: Metric) -> str | None:
        """What a metric of this kind of data needs that is not there."""
        if metric.mixture and not self.mixture:
            return "data of known modes"
        if metric.labels and (self.mixture or self.labelled is False):
            return "data with labels"
        if metric.paired and not self.paired:
            return "data of known partners (data.paired, data.low)"
        if metric.low and not self.low:
            return "data that is enlarged (data.low)"
        return None

    def check(self, objective: str, source: str, own: Mapping[str, bool]) -> None:
        """Raises InputError for an objective that is not measured here. own: the user's own metrics."""
        if objective in self.names(own):
            return
        name, _, _ = objective.partition(".")
        valid = ", ".join(self.names({}))
        if name in own or name in self.metrics():
            domains = f"domains {', '.join(self.domains)}" if self.domains else "one domain"
            raise InputError(
                f'{source}: objective: found "{objective}", and {self.data} has {domains}; valid on it: {valid}'
            )
        metric = METRICS[name]
        what = self._why_not(metric) or f"{metric.kind.removesuffix('s')} data"
        raise InputError(
            f'{source}: objective: found "{objective}", which is for {what}; valid on {self.data}: {valid}'
        )


def on(name: str, about: Mapping[str, Any]) -> On:
    """Of data that was opened: `about` is the `data` of what prepare() says."""
    facts = name, about["kind"], about["mixture"], about["classes"] > 1, tuple(about.get("domains", ()))
    return On(*facts, paired=about.get("paired", False), low=about.get("low", False))


def own_metrics(tree: Mapping[str, Any]) -> dict[str, bool]:
    """The metrics of one's own in a sweep's tree, that a spec has been made of, with whether less is better."""
    metrics = (tree.get("evaluation") or {}).get("metrics") or {}
    return {name: metric["minimise"] for name, metric in metrics.items()}
