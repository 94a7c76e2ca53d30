"""The section `health`: what a rule is, the signals that it can name, and the rules of a sweep that names none."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from pipeline.errors import one_of
from pipeline.schema.base import Strict

HealthReason = Literal["non_finite", "degenerate", "collapsed", "discriminator_won", "diverged"]


Comparison = Literal["<", ">", "<=", ">="]


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


def _known_signal(name: str) -> str:
    if name not in SIGNALS:
        raise ValueError(f'found "{name}", {one_of(name, SIGNALS)}')
    return name


Signal = Annotated[str, AfterValidator(_known_signal)]


class Condition(Strict):
    """`signal` `comparison` `threshold`, for a signal of health/signals.py."""

    signal: Signal
    comparison: Comparison
    threshold: float


class RuleSpec(Strict):
    """Ends a run with `reason` once all conditions held at `patience` evaluations in a row, none of them within
    the first `grace` (a share of the budget). The first condition is written flat, further ones under `also`."""

    reason: HealthReason
    signal: Signal
    comparison: Comparison
    threshold: float
    also: tuple[Condition, ...] = Field((), strict=False)  # a list, as YAML and JSON have it
    patience: int = Field(1, ge=1)
    grace: float = Field(0.05, ge=0, lt=1)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        first = Condition(signal=self.signal, comparison=self.comparison, threshold=self.threshold)
        return (first, *self.also)


# Read in this order, the first that fires names the end. `grace` is a share of the budget.
DEFAULT_RULES: dict[str, dict[str, Any]] = {
    "non_finite": {"reason": "non_finite", "signal": "finite", "comparison": "<", "threshold": 1.0, "grace": 0.0},
    # One and the same sample for every latent. A fresh generator may be as flat and a slow one grows out of it,
    # with its average lagging behind: so only what is no better than it was.
    "flat_output": {
        "reason": "degenerate",
        "signal": "sample_variance_ratio",
        "comparison": "<",
        "threshold": 0.01,
        "also": [{"signal": "sample_variance_gain", "comparison": "<=", "threshold": 0.0}],
        "patience": 2,
        "grace": 0.1,
    },
    # Too little, and no more than it had: lost, or stuck.
    "low_diversity": {
        "reason": "collapsed",
        "signal": "diversity_ratio",
        "comparison": "<",
        "threshold": 0.3,
        "also": [{"signal": "diversity_gain", "comparison": "<=", "threshold": 0.0}],
        "patience": 3,
        "grace": 0.25,
    },
    # Had it and lost it: a run that is only slow or coarse never had it.
    "lost_coverage": {
        "reason": "collapsed",
        "signal": "coverage",
        "comparison": "<",
        "threshold": 0.15,
        "also": [{"signal": "coverage_gain", "comparison": "<", "threshold": -0.25}],
        "patience": 3,
        "grace": 0.1,
    },
    # Mixtures: generators visit modes in turn before they hold them, so this waits for 30% of the budget.
    "few_modes": {
        "reason": "collapsed",
        "signal": "modes_share",
        "comparison": "<",
        "threshold": 0.5,
        "also": [{"signal": "modes_gain", "comparison": "<=", "threshold": 0.0}],
        "patience": 3,
        "grace": 0.3,
    },
    "discriminator_won": {
        "reason": "discriminator_won",
        "signal": "discriminator_win_rate",
        "comparison": ">=",
        "threshold": 0.99,
        "also": [{"signal": "generator_gradient_share", "comparison": "<", "threshold": 0.01}],
        "patience": 3,
        "grace": 0.1,
    },
    # Far above the best that it had, in the metric's own measure and beyond its own noise.
    "diverged": {
        "reason": "diverged",
        "signal": "excess",
        "comparison": ">",
        "threshold": 1.5,
        "also": [{"signal": "excess_in_noise", "comparison": ">", "threshold": 5.0}],
        "patience": 2,
        "grace": 0.05,
    },
}
