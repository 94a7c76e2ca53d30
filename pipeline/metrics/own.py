"""A metric of the user's own, "file.py:function": of samples and features, never of the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from pipeline import plugin
from pipeline.errors import InputError, one_line
from pipeline.schema.metrics import METRICS, On
from pipeline.schema.rows import at
from pipeline.schema.trial import OwnMetricSpec


@dataclass(frozen=True)
class Evaluated:
    """What a metric of one's own is given: generated samples (N, ...), images in [-1, 1] or points, as many real ones
    of the part that they are compared with, and the features of both (N, F); on the CPU, float32. The rows of a table
    are in their own units; their features are the same rows with the columns standardised, as all that is built in
    measures them."""

    samples: Tensor
    real: Tensor
    features: Tensor
    real_features: Tensor


OwnMetric = Callable[[Evaluated], float]


def provided(on: On) -> dict[str, OwnMetric]:
    """Those of gansweep's own that are such functions, by name."""
    return {name: at(made) for name in on.metrics() if (made := METRICS[name].made)}


def own_metric(label: str, spec: OwnMetricSpec) -> OwnMetric:
    """function(evaluated) -> a number, as a metric that is the same for the same samples: what it draws from torch's
    generator begins anew each time. Raises InputError for what is no function and for what gives no number."""
    where = f'evaluation.metrics.{label}: "{spec.name}"'
    function = plugin.resolve(spec.name)
    if not callable(function):
        raise InputError(f"{where} is a {type(function).__name__}; valid: a function of what is evaluated")

    def measure(evaluated: Evaluated) -> float:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            try:
                value = function(evaluated)
            except (Exception, SystemExit) as error:
                raise InputError(f"{where} failed: {one_line(error, -1)}") from error
        return _number(value, where)

    return measure


def _number(value: Any, where: str) -> float:
    if isinstance(value, Tensor) and value.numel() == 1:
        return float(value)
    if not isinstance(value, bool) and isinstance(value, Real):  # NumPy's numbers are, too
        return float(value)
    shown = f"a tensor of {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
    raise InputError(f"{where} returned {shown}; valid: a number")
