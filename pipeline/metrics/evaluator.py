"""Evaluator: generated samples -> metrics and health signals, beside one part of the real data."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from pipeline.data.batches import to_float
from pipeline.data.cache import cached
from pipeline.data.dataset import Dataset, load
from pipeline.errors import InputError
from pipeline.metrics.distances import mean_distance
from pipeline.metrics.diversity import diversity_ratio, variance
from pipeline.metrics.evaluation import Evaluation, worst_of
from pipeline.metrics.measure import Labelled, Measure, Real
from pipeline.metrics.modes import reverse_kl_noise_floor
from pipeline.metrics.own import Evaluated, own_metric, provided
from pipeline.metrics.partners import bicubic, of_bicubic
from pipeline.schema.features import AUTO
from pipeline.schema.kinds import KINDS
from pipeline.schema.metrics import On
from pipeline.schema.rows import at
from pipeline.schema.trial import DataSpec, EvaluationSpec, OwnMetricSpec

SUBSETS = 20  # of the training part, for the floor
FORMAT = 1  # of the cached floor: one higher where it is measured in another way
POOL = 10_000  # training images whose features the floor draws from, at least
TRAINING = 50_000  # training samples at most that samples can be found to be copies of
Part = Literal["validation", "test"]


@dataclass(frozen=True)
class Reference:
    """What one real part brings to every evaluation."""

    mean_distance: float  # of as many samples as are generated
    variance: float  # of as many
    of_kind: Any  # what the kind's measure compares with
    plain: dict[str, float] = field(default_factory=dict)  # what the plain way of enlarging has for metrics
    modes: float = 0.0  # where they are known those that as many find: fewer than there are, if these are more


@dataclass(frozen=True)
class Asked:
    """What is asked of an evaluation. samples: generated for each (None: 2,500 points, or as many images as the
    validation part has, at most 2,000). own: metrics of the user's own, by label. features: as a spec names them."""

    samples: int | None = None
    own: Mapping[str, OwnMetricSpec] = field(default_factory=dict)
    features: str = AUTO

    @classmethod
    def of(cls, spec: EvaluationSpec) -> Asked:
        return cls(spec.samples, spec.metrics, spec.features)


def prepare(data: DataSpec, asked: Asked, cache: Path, root: Path | None) -> dict[str, Any]:
    """Does the slow work once a machine (data, extractor, features, floor) and says, JSON-able, what it found.

    floor: the median of each floored metric between random training subsets of as many samples as an evaluation has and
    the validation part; floor_spread: their interquartile range / 1.349, which is the standard deviation of a normal.
    noise_floor: of metrics whose floor is known in closed form. Raises InputError for bad data or more samples than
    there are.
    """
    return Evaluator.open(data, replace(asked, own={}), cache, root, "cpu").summary()


class Evaluator:
    """Opened once a run. Parts' references are made when first used and kept."""

    def __init__(
        self,
        dataset: Dataset,
        asked: Asked,
        measure: Measure,
        cache: Path,
        domains: Mapping[str, Evaluator] | None = None,
    ) -> None:
        """Use Evaluator.open. domains: an evaluator each, of data of several. Raises InputError for more samples than
        there are."""
        self.dataset, self.domains = dataset, domains or {}
        self.samples = _samples(dataset, asked.samples)
        facts = dataset.name, dataset.kind, dataset.modes > 0, dataset.classes > 1
        self._own = provided(On(*facts, paired=dataset.has_partners))
        self._own |= {label: own_metric(label, it) for label, it in asked.own.items()}
        self._measure, self.cache = measure, cache
        self._references: dict[str, Reference] = {}
        self._limit: int | None = None  # training samples

    @classmethod
    def open(
        cls, data: DataSpec, asked: Asked, cache: Path, root: Path | None, device: torch.device | str
    ) -> Evaluator:
        """Takes from the cache what prepare() left there, and makes what is missing."""
        opened = cls.of(load(data, root, cache), asked, cache, device)
        for each in (opened, *opened.domains.values()):
            each._limit = data.limit
        return opened

    @classmethod
    def of(cls, dataset: Dataset, asked: Asked, cache: Path, device: torch.device | str) -> Evaluator:
        """The same of a data set at hand."""
        asked = replace(asked, samples=_samples(dataset, asked.samples))
        domains = {name: cls.of(domain, asked, cache, device) for name, domain in dataset.domains.items()}
        # The whole of several domains is the first one's data: to learn features of it again would take minutes.
        known = [domain._measure for domain in domains.values()]
        made = at(KINDS[dataset.kind].of.MEASURE)
        measure: Measure = known[0] if known else made(dataset, cache, device, asked.features)
        return cls(dataset, asked, measure, cache, domains)

    @property
    def features(self) -> str:
        """The name of what the distances are measured in: an extractor with its weights' hash, or "points"."""
        if self.domains:
            return " + ".join(dict.fromkeys(domain.features for domain in self.domains.values()))
        return self._measure.name

    def evaluate_all(
        self, samples: Mapping[str, Tensor], references: Mapping[str, str], part: Part = "validation"
    ) -> Evaluation:
        """Of all that a game makes, each compared with the domain that `references` names.

        Of data of several domains metrics and signals have the domain's name behind them (fid.b), and a signal's plain
        name is that of the domain which is worst off.
        """
        if not self.domains:
            (only,) = samples.values()
            return self.evaluate(only, part)
        together, of_all = Evaluation({}, {}, {}), dict[str, list[float]]()
        for name, made in samples.items():
            domain = references[name]
            judged = self.domains[domain].evaluate(made, part)
            for ours, theirs in zip(together, judged, strict=True):
                ours |= {f"{each}.{domain}": value for each, value in theirs.items()}
            for signal, value in judged.signals.items():
                of_all.setdefault(signal, []).append(value)
        worst = {name: worst_of(name, values) for name, values in of_all.items()}
        if worst.get("finite") == 0.0:
            return Evaluation({}, together.signals | worst, {})
        return together._replace(signals=together.signals | worst)

    def nearest(self, fakes: Tensor) -> Tensor | None:
        """The training samples nearest to fakes (N, ...); None of no pictures, or where a fake is not finite."""
        if not bool(fakes.isfinite().all()):
            return None
        indices = self._measure.nearest(self.reference("validation").of_kind, self._measure.features(fakes.detach()))
        return None if indices is None else to_float(self.dataset.train[indices])

    def raw(self, samples: Mapping[str, Tensor], references: Mapping[str, str]) -> dict[str, float]:
        """The signal raw_distance of what the generator itself makes beside its average: the metric that has a floor,
        of several domains each and the worst; nothing without samples, or where one is not finite, which the loss says
        too."""
        distances: dict[str, float] = {}
        for name, made in samples.items():
            judge = self.domains.get(references[name], self)
            if not bool(made.isfinite().all()):
                return {}
            of_kind = judge.reference("validation").of_kind
            (distances[references[name]],) = judge._measure.distance(of_kind, judge._measure.features(made)).values()
        each = {f"raw_distance.{domain}": value for domain, value in distances.items()} if self.domains else {}
        return each | {"raw_distance": worst_of("raw_distance", list(distances.values()))} if distances else {}

    def evaluate(self, fakes: Tensor, part: Part = "validation") -> Evaluation:
        """Of images (N, C, R, R) in [-1, 1] or points (N, D), N equal to `samples`.

        signals: finite (1 or 0), sample_variance_ratio, diversity_ratio; coverage, recall, memorised_share (images);
        worst_class_coverage (images with labels); modes_share (where modes are known).
        Where a sample is not finite, metrics is empty and finite = 0 is the only signal.
        """
        if len(fakes) != self.samples:
            raise ValueError(f"found {len(fakes)} samples; this evaluator compares {self.samples}")
        fakes = fakes.detach()
        if not bool(fakes.isfinite().all()):
            return Evaluation({}, {"finite": 0.0}, {})
        reference = self.reference(part)
        signals = {"finite": 1.0, "sample_variance_ratio": variance(fakes.cpu()) / reference.variance}
        features = self._measure.features(fakes)
        metrics, errors = self._measure.metrics(reference.of_kind, features)
        signals["diversity_ratio"] = diversity_ratio(reference.mean_distance, features)
        signals |= self._measure.signals(reference.of_kind, metrics)
        if "modes" in metrics:
            signals["modes_share"] = metrics["modes"] / reference.modes
        return Evaluation(metrics | self._own_metrics(fakes, features, part) | reference.plain, signals, errors)

    def reference(self, part: Part) -> Reference:
        if part not in self._references:
            real = self.dataset.part(part)
            features = self._real_features(part)
            some = features[: self.samples]
            shared = mean_distance(some), variance(to_float(real[: self.samples]))
            if 0.0 in shared:
                raise InputError(f"{self.dataset.name}: the {part} part's samples are all the same; valid: real data")
            modes = self._measure.modes(some).get("modes", 0.0)
            labels = self.dataset.validation_labels if part == "validation" else self.dataset.test_labels
            of_kind = self._measure.reference(Real(Labelled(features, labels), self._training, self.samples))
            self._references[part] = Reference(*shared, of_kind, self._plain(part, of_kind), modes)
        return self._references[part]

    def _plain(self, part: Part, of_kind: Any) -> dict[str, float]:
        """The metrics of bicubic enlarging, of data that is enlarged; nothing of other data."""
        if self.dataset.low is None:
            return {}
        made = bicubic(to_float(self.dataset.part(part)[: self.samples]), self.dataset.low)
        seen = self._seen(made, self._measure.features(made), part)
        return of_bicubic(seen, self._measure.distance(of_kind, seen.features))

    def summary(self) -> dict[str, Any]:
        """What prepare() returns."""
        if self.domains:
            return self._summary_of_domains()
        noise = {}
        if self.dataset.modes:
            noise["reverse_kl"] = reverse_kl_noise_floor(self.dataset.modes, self.samples)
        return {
            "data": self.about_data(),
            "features": self.features,
            "samples": self.samples,
            **self._floor(),
            "noise_floor": noise,
        }

    def _summary_of_domains(self) -> dict[str, Any]:
        summary: dict[str, Any] = {"data": self.about_data(), "features": self.features, "samples": self.samples}
        said = {name: domain.summary() for name, domain in self.domains.items()}
        for key in ("floor", "floor_spread", "noise_floor"):
            summary[key] = {f"{metric}.{name}": value for name in said for metric, value in said[name][key].items()}
        return summary

    def about_data(self) -> dict[str, Any]:
        """The `data` of what prepare() returns; JSON-able."""
        data = self.dataset
        facts = {
            name: getattr(data, name) for name in ("name", "kind", "fingerprint", "classes", "channels", "resolution")
        }
        facts |= {"mixture": data.modes > 0, **data.partners}
        if data.domains:
            facts["domains"] = list(data.domains)
        facts |= {"read": data.read, "notes": list(data.notes), "class_names": list(data.class_names)}
        if data.unstandardised:
            facts["unstandardised"] = data.unstandardised
        return facts | {part: len(data.part(part)) for part in ("train", "validation", "test")}

    def _real_features(self, part: str) -> Tensor:
        real = self.dataset.part(part)[:TRAINING]
        if not self._measure.extracts:
            return real
        path = self.cache / "features" / f"{self.features}-{self.dataset.fingerprint}-{part}.safetensors"
        return cached(path, lambda: ({"features": self._measure.features(real)}, {}))[0]["features"]

    def _training(self) -> Labelled:
        """What the networks are trained on: not more than `limit`."""
        labels, most = self.dataset.train_labels, min(self._limit or TRAINING, TRAINING)
        return Labelled(self._real_features("train")[:most], None if labels is None else labels[:TRAINING][:most])

    def _own_metrics(self, fakes: Tensor, features: Tensor, part: Part) -> dict[str, float]:
        if not self._own:
            return {}
        seen = self._seen(fakes, features, part)
        return {label: measure(seen) for label, measure in self._own.items()}

    def _seen(self, fakes: Tensor, features: Tensor, part: Part) -> Evaluated:
        real = to_float(self.dataset.part(part)[: self.samples])
        shown, real = (self.dataset.own_units(rows).float() for rows in (fakes.cpu(), real))
        return Evaluated(shown, real, features, self._real_features(part)[: self.samples])

    def _floor(self) -> dict[str, dict[str, float]]:
        name = f"{self.features}-{self.dataset.fingerprint}-{self.samples}-v{FORMAT}.safetensors"
        _, facts = cached(self.cache / "floors" / name, lambda: ({}, self._measure_floor()))
        return {"floor": facts["floor"], "floor_spread": facts["floor_spread"]}

    def _measure_floor(self) -> dict[str, Any]:
        reference = self.reference("validation")
        pool = self._measure.features(self.dataset.train[: max(POOL, 2 * self.samples)])
        random = np.random.RandomState(0)
        drawn = [torch.from_numpy(random.permutation(len(pool))[: self.samples]) for _ in range(SUBSETS)]
        distances = [self._measure.distance(reference.of_kind, pool[index]) for index in drawn]
        values = {name: [distance[name] for distance in distances] for name in distances[0]}
        quartiles = {name: statistics.quantiles(of_all, n=4) for name, of_all in values.items()}
        return {
            "floor": {name: statistics.median(of_all) for name, of_all in values.items()},
            "floor_spread": {name: (q[2] - q[0]) / 1.349 for name, q in quartiles.items()},
        }


def _samples(dataset: Dataset, asked: int | None) -> int:
    """Of an evaluation; InputError for more than the validation part has."""
    most = min(len(each.validation) for each in (dataset.domains or {"": dataset}).values())
    if asked is not None and asked > most:
        raise InputError(
            f"evaluation.samples: found {asked}; {dataset.name} has {most} in its validation part, "
            f"valid: at most {most}"
        )
    return min(most, KINDS[dataset.kind].of.EVALUATED) if asked is None else asked
