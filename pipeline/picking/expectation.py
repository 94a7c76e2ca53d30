"""What a search's best trial is to be expected to come to on further seeds: what was the best of many is too good."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from pipeline.picking.beliefs import shrunk
from pipeline.picking.intervals import LEVEL, Interval, Scale
from pipeline.record.front import objectives
from pipeline.record.state import SweepState
from pipeline.record.trials import Trial

# From seed to seed the logarithm of a distance has a deviation of 0.1 to 0.3 where a GAN trains (tests/benchmarks/
# README.md, What a search says of its best); what a sweep's own further seeds say counts beside it.
NOISE = 0.25
KNOWN = 3.0  # degrees of freedom that it counts for
LEAST = 3.0  # that there must be


@dataclass(frozen=True)
class Expectation:
    """score: the mean (for distances the geometric one) over seeds that the search has not seen, where it stays
    healthy; interval: 95%."""

    score: float
    interval: Interval


def expectation(state: SweepState) -> Expectation | None:
    """Of the best trial, by the search alone; None once a pick knows better, where no trial was trained to the end,
    where there are several objectives, and where too little is known of the noise from seed to seed: of a score that is
    no distance, as long as further seeds do not say it.

    Scores are the truth plus noise, so the best of several is moved to their mean (beliefs.shrunk), the more the fewer
    seeds it is of.
    """
    best = state.best_trial
    if best is None or best.end_reason != "completed" or objectives(state):
        return None
    if any(run.end_reason is not None for run in best.confirmations.values()):
        return None
    metric = state.metric
    tails = {number: _tails(trial, metric) for number, trial in state.trials.items()}
    scale = Scale.of(metric, [tail for each in tails.values() for tail in each], state.own)
    scores = {number: [scale.to(tail) for tail in each] for number, each in tails.items() if each}
    if best.number not in scores:
        return None
    mean, error, freedom = _posterior(list(scores.values()), list(scores).index(best.number), scale)
    if math.isnan(error):
        return None
    half = float(special.stdtrit(freedom, (1 + LEVEL) / 2)) * error
    interval = scale.interval((mean - half, mean + half))
    assert interval is not None
    return Expectation(scale.back(mean), interval)


def _tails(trial: Trial, metric: str) -> list[float]:
    """Of the seeds that stayed healthy to the end."""
    tails = [run.tail(metric) for run in trial.runs.values() if run.end_reason == "completed"]
    return [tail for tail in tails if tail is not None and math.isfinite(tail)]


def _posterior(scores: list[list[float]], at: int, scale: Scale) -> tuple[float, float, float]:
    """Mean, error and degrees of freedom of the truth of one of the trials; an error of NaN where there is no variance
    to go by."""
    known = KNOWN if scale.kind == "logarithm" else 0.0
    own = sum(len(each) - 1 for each in scores)
    freedom = known + own
    squares = sum(float(np.var(each)) * len(each) for each in scores)
    if freedom < LEAST or known + squares == 0:  # equal seeds of a share that is full are no certainty
        return scores[at][0], math.nan, freedom
    variance = (known * NOISE**2 + squares) / freedom
    means, counts = np.array([np.mean(each) for each in scores]), np.array([len(each) for each in scores])
    noise = variance / counts
    moved, kept, true = shrunk(means, noise)
    left = kept[at] * noise[at] + (1 - kept[at]) ** 2 * true / kept.sum()  # and what the common mean is not known by
    return float(moved[at]), math.sqrt(float(left)), freedom
