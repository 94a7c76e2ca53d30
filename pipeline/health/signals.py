"""The signals a health rule can name: what each means, and how a run's measurements give its curve."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.measurement import Measurement

Curve = list[tuple[int, float]]  # (images, value)


@dataclass(frozen=True)
class Context:
    """What a run is compared by. floor: the metric between real samples, and floor_spread: how much it moves;
    None for a metric that has no floor (it is 0 then)."""

    metric: str
    minimise: bool
    floor: float | None = None
    floor_spread: float | None = None


# "since the last evaluation" is the training window that ends at the evaluation; the others are of its samples.
SIGNALS: dict[str, str] = {
    "finite": "1 while every loss, gradient, sample, signal and metric is a finite number, else 0",
    "discriminator_win_rate": "P(D(real) > D(fake)) over pairs in the batch, mean since the last evaluation",
    "discriminator_overfit": "P(D(training sample) > D(held-out sample)); 1 where it knows those by heart",
    "generator_gradient_norm": "norm of the generator's gradient, mean since the last evaluation",
    "discriminator_gradient_norm": "norm of the discriminator's gradient, mean since the last evaluation",
    "loss_g": "generator's loss, mean since the last evaluation",
    "loss_d": "discriminator's loss, mean since the last evaluation",
    "diversity_ratio": "mean pairwise distance of generated samples over that of real ones",
    "coverage": "share of real samples with a generated one nearer than their k-th real neighbour",
    "sample_variance_ratio": "variance of generated samples over the batch, relative to that of real ones",
    "modes_share": "modes found over those that as many real samples find; where modes are known",
    "generator_gradient_share": "generator_gradient_norm over its largest value so far",
    "diversity_gain": "diversity_ratio minus its best at the evaluations before, below 0 where it fell",
    "coverage_gain": "coverage minus its best at the evaluations before",
    "sample_variance_gain": "sample_variance_ratio minus its largest at the evaluations before",
    "modes_gain": "modes_share minus its best at the evaluations before",
    "excess": "(objective - floor) over (best so far - floor), the latter at least the floor's spread; "
    "only for objectives where less is better",
    "excess_in_noise": "(objective - best so far) over the noise of the run and of the floor; "
    "only for objectives where less is better",
}


def curve(signal: str, measurements: Sequence[Measurement], context: Context) -> Curve:
    """(images, value) of the signal at each evaluation that has it, each from what was known by then."""
    points = ((measurements[i].images, value(signal, measurements[: i + 1], context)) for i in range(len(measurements)))
    return [(images, found) for images, found in points if found is not None]


def value(signal: str, measurements: Sequence[Measurement], context: Context) -> float | None:
    """The signal at the last of `measurements`; None where that one does not have it.

    NaN where what it is made of is NaN. KeyError for a name that is not in SIGNALS.
    """
    SIGNALS[signal]
    derive = _DERIVED.get(signal)
    return derive(measurements, context) if derive else measurements[-1].signals.get(signal)


def _finite(measurements: Sequence[Measurement], context: Context) -> float:
    last = measurements[-1]
    found = (*last.signals.values(), *last.metrics.values())
    return float(last.signals.get("finite", 1.0) == 1.0 and all(map(math.isfinite, found)))


def _of_largest(signal: str) -> Callable[[Sequence[Measurement], Context], float | None]:
    def share(measurements: Sequence[Measurement], context: Context) -> float | None:
        so_far = _raw(signal, measurements)
        if so_far is None:
            return None
        largest = _largest(so_far)
        return so_far[-1] / largest if largest else 0.0  # never a gradient at all: it has vanished

    return share


def _over_best_before(signal: str) -> Callable[[Sequence[Measurement], Context], float | None]:
    def gain(measurements: Sequence[Measurement], context: Context) -> float | None:
        so_far = _raw(signal, measurements)
        return None if so_far is None or len(so_far) < 2 else so_far[-1] - _largest(so_far[:-1])

    return gain


def _excess(measurements: Sequence[Measurement], context: Context) -> float | None:
    so_far = _objective(measurements, context)
    if so_far is None:
        return None
    floor = context.floor or 0.0
    above, best_above = so_far[-1] - floor, max(_smallest(so_far) - floor, context.floor_spread or 0.0)
    return _over(above, best_above)


def _excess_in_noise(measurements: Sequence[Measurement], context: Context) -> float | None:
    so_far = _objective(measurements, context)
    if so_far is None:
        return None
    return _over(so_far[-1] - _smallest(so_far), math.hypot(noise(so_far), context.floor_spread or 0.0))


def noise(values: Sequence[float]) -> float:
    """The standard deviation of a series around its trend, from the median absolute successive difference.

    Of independent normal values it is 1.4826 / sqrt(2) times that median. A steep trend counts as noise, which
    makes a run's first evaluations tolerant. 0 for fewer than 2 values.
    """
    steps = [abs(b - a) for a, b in itertools.pairwise(values)]
    return 1.4826 / math.sqrt(2) * statistics.median(steps) if steps else 0.0


def _objective(measurements: Sequence[Measurement], context: Context) -> list[float] | None:
    if not context.minimise or context.metric not in measurements[-1].metrics:
        return None
    return [m.metrics[context.metric] for m in measurements if context.metric in m.metrics]


def _raw(signal: str, measurements: Sequence[Measurement]) -> list[float] | None:
    if signal not in measurements[-1].signals:
        return None
    return [m.signals[signal] for m in measurements if signal in m.signals]


def _largest(values: Sequence[float]) -> float:
    """max, but NaN as soon as one value is: max() alone may pass over it."""
    return math.nan if any(map(math.isnan, values)) else max(values)


def _smallest(values: Sequence[float]) -> float:
    return -_largest([-v for v in values])


def _over(part: float, whole: float) -> float:
    """part / whole of a whole that is 0 or more; nothing over nothing is no excess."""
    if whole == 0.0:
        return part if math.isnan(part) else (math.inf if part > 0 else 0.0)
    return part / whole


_DERIVED: dict[str, Callable[[Sequence[Measurement], Context], float | None]] = {
    "finite": _finite,
    "generator_gradient_share": _of_largest("generator_gradient_norm"),
    "diversity_gain": _over_best_before("diversity_ratio"),
    "coverage_gain": _over_best_before("coverage"),
    "sample_variance_gain": _over_best_before("sample_variance_ratio"),
    "modes_gain": _over_best_before("modes_share"),
    "excess": _excess,
    "excess_in_noise": _excess_in_noise,
}
