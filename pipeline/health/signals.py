"""The signals a health rule can name: what each means, and how a run's measurements give its curve."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.record.measurement import Measurement
from pipeline.schema.growing import LEVEL
from pipeline.schema.health import SIGNALS

NOISE_SHARE = 0.5  # of its best: digits move by a factor of 2 between evaluations of a healthy run
NOISE_ERRORS = 4.0
RECENT = 4  # evaluations
Curve = list[tuple[int, float]]  # (images, value)


@dataclass(frozen=True)
class Context:
    """What a run is compared by. floor: the metric between real samples, and floor_spread: how much it moves;
    None for a metric that has no floor (it is 0 then)."""

    metric: str
    minimise: bool
    floor: float | None = None
    floor_spread: float | None = None


def curve(signal: str, measurements: Sequence[Measurement], context: Context) -> Curve:
    """(images, value) of the signal at each evaluation that has it, each from what was known by then."""
    points = ((measurements[i].images, value(signal, measurements[: i + 1], context)) for i in range(len(measurements)))
    return [(images, reading) for images, reading in points if reading is not None]


def value(signal: str, measurements: Sequence[Measurement], context: Context) -> float | None:
    """The signal at the last of `measurements`; None where that one does not have it.

    NaN where what it is made of is NaN. KeyError for a name that is not in SIGNALS. Of networks that grow an evaluation
    is compared with earlier ones of the same level alone: while the next resolution fades in its layers are new, and
    samples are worse for a while; before, they are of another resolution.
    """
    SIGNALS[signal]
    derive = _DERIVED.get(signal)
    if derive is None:
        return measurements[-1].signals.get(signal)
    level = measurements[-1].signals.get(LEVEL)
    return derive([each for each in measurements if each.signals.get(LEVEL) == level], context)


def _finite(measurements: Sequence[Measurement], context: Context) -> float:
    last = measurements[-1]
    values = (*last.signals.values(), *last.metrics.values())
    return float(last.signals.get("finite", 1.0) == 1.0 and all(map(math.isfinite, values)))


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
    return _over_best(_objective(measurements, context), context)


def _decline(measurements: Sequence[Measurement], context: Context) -> float | None:
    return _over_best(_tails(_objective(measurements, context)), context)


def _raw_excess(measurements: Sequence[Measurement], context: Context) -> float | None:
    _, dot, domain = context.metric.partition(".")  # of several domains the objective's
    return _over_best(_raw(f"raw_distance{dot}{domain}", measurements), context) if context.floor is not None else None


def _over_best(so_far: Sequence[float] | None, context: Context) -> float | None:
    if not so_far:
        return None
    floor = context.floor or 0.0
    above, best_above = so_far[-1] - floor, max(_smallest(so_far) - floor, context.floor_spread or 0.0)
    return _over(above, best_above)


def _excess_in_noise(measurements: Sequence[Measurement], context: Context) -> float | None:
    so_far = _objective(measurements, context)
    return None if so_far is None else _above_best_in_noise(so_far, so_far, measurements[-1], context)


def _decline_in_noise(measurements: Sequence[Measurement], context: Context) -> float | None:
    so_far = _objective(measurements, context)
    tails = _tails(so_far)
    return None if so_far is None or not tails else _above_best_in_noise(tails, so_far, measurements[-1], context)


def _above_best_in_noise(
    values: Sequence[float], so_far: Sequence[float], last: Measurement, context: Context
) -> float:
    """How far the last of values is above the smallest, in the noise of `so_far`.

    A run's own steps tell its noise only as long as it is well: one that swings between good and bad would be taken for
    noisy. So they count as no more than half of its best, or 4 standard errors of the metric where these are more.
    """
    best, error = _smallest(so_far), last.errors.get(context.metric, 0.0)
    own = min(noise(so_far), max(NOISE_SHARE * best, NOISE_ERRORS * error))
    # of measurements without a standard error the floor's spread, which has the error of two sets of samples
    return _over(values[-1] - _smallest(values), math.hypot(own, error or context.floor_spread or 0.0))


def _floors(measurements: Sequence[Measurement], context: Context) -> float | None:
    so_far = _objective(measurements, context)
    least = max(context.floor or 0.0, context.floor_spread or 0.0)
    return so_far[-1] / least if so_far and least else None


def _improvement(measurements: Sequence[Measurement], context: Context) -> float | None:
    if context.metric not in measurements[-1].metrics:
        return None
    sign = 1.0 if context.minimise else -1.0
    values = [sign * m.metrics[context.metric] for m in measurements if context.metric in m.metrics]
    recent = min(RECENT, len(values) - 1)
    if not recent:
        return None
    gained = _smallest(values[:-recent]) - _smallest(values[-recent:])
    if gained <= 0:
        return gained  # none, in whatever noise
    return _over(gained, math.hypot(noise(values), context.floor_spread or 0.0))


def _worst_class_share(measurements: Sequence[Measurement], context: Context) -> float | None:
    worst, overall = (measurements[-1].signals.get(name) for name in ("worst_class_coverage", "coverage"))
    return None if worst is None or overall is None else _over(worst, overall)


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


def _tails(so_far: Sequence[float] | None) -> list[float]:
    """The median of each three evaluations in a row."""
    values = so_far or ()
    return [
        math.nan if any(map(math.isnan, three)) else statistics.median(three)
        for three in zip(values, values[1:], values[2:], strict=False)
    ]


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
    "decline": _decline,
    "decline_in_noise": _decline_in_noise,
    "raw_excess": _raw_excess,
    "floors": _floors,
    "improvement": _improvement,
    "worst_class_share": _worst_class_share,
}
