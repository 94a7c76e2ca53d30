"""The section `health`: what a rule is, the signals that it can name, and the rules of a sweep that names none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from pipeline.errors import one_of
from pipeline.schema.base import Strict

HealthReason = Literal["non_finite", "degenerate", "collapsed", "memorised", "discriminator_won", "diverged"]


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
    "recall": "share of real samples within a generated one's ball of its 3rd neighbour",
    "worst_class_coverage": "coverage of the real class that is covered least; where there are labels",
    "memorised_share": "share of samples nearer to a training sample than that one is to its nearest other one, "
    "less the same share of held-out real samples",
    "raw_distance": "the metric that has a floor, of the generator itself in place of its average",
    "modes_share": "modes found over those that as many real samples find; where modes are known",
    "generator_gradient_share": "generator_gradient_norm over its largest value so far",
    "diversity_gain": "diversity_ratio minus its best at the evaluations before, below 0 where it fell",
    "coverage_gain": "coverage minus its best at the evaluations before",
    "sample_variance_gain": "sample_variance_ratio minus its largest at the evaluations before",
    "modes_gain": "modes_share minus its best at the evaluations before",
    "excess": "(objective - floor) over (best so far - floor), the latter at least the floor's spread; "
    "only for objectives where less is better",
    "excess_in_noise": "(objective - best so far) over the noise of the run (its own steps, at most half its best or "
    "4 standard errors) and of the metric (its standard error, else the floor's spread); "
    "only for objectives where less is better",
    "decline": "as excess, of the objective's tails: medians of 3 evaluations",
    "decline_in_noise": "as excess_in_noise, of the tails",
    "raw_excess": "as excess, of raw_distance",
    "floors": "the objective over its floor, the latter at least its spread; only for objectives where less is better",
    "improvement": "how much better the objective's best of the last 4 evaluations is than the best before them, "
    "in the noise of the run and of the floor",
    "worst_class_share": "worst_class_coverage over coverage",
}


# A distance may be below its floor, which is of other samples.
SIGNED = ("memorised_share", "improvement", "excess", "decline", "raw_excess")
NEVER_BELOW_0 = frozenset(
    name for name in SIGNALS if not name.startswith("loss_") and not name.endswith("_gain") and name not in SIGNED
)


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

    def check(self) -> None:
        """ValueError for a threshold that the signal is always beyond, or never."""
        if (
            self.signal not in NEVER_BELOW_0
            or self.threshold > 0
            or (self.threshold == 0 and self.comparison in ("<=", ">"))
        ):
            return
        always = "always" if self.comparison in (">", ">=") else "never"
        raise ValueError(
            f"threshold: found {self.signal} {self.comparison} {self.threshold:g}, which it {always} is; valid: above 0"
        )


class RuleSpec(Strict):
    """Ends a run with `reason` once all conditions held at `patience` of the last `within` evaluations (None: of as
    many, so in a row), the last one among them, none of them within the first `grace` (a share of the budget). The
    first condition is written flat, further ones under `also`.

    action: warn says so in the record, and the run goes on. at_end: judged at the end of the budget alone, where
    it keeps a run that could still have become something from counting as one that ended well."""

    reason: HealthReason
    signal: Signal
    comparison: Comparison
    threshold: float
    also: tuple[Condition, ...] = Field((), strict=False)  # a list, as YAML and JSON have it
    patience: int = Field(1, ge=1)
    within: int | None = Field(None, ge=1)
    grace: float = Field(0.05, ge=0, lt=1)
    action: Literal["stop", "warn"] = "stop"
    at_end: bool = False

    @model_validator(mode="after")
    def _goes_together(self) -> RuleSpec:
        if self.within is not None and self.within < self.patience:
            raise ValueError(f"within: found {self.within} with patience {self.patience}; valid: as many, or more")
        for condition in self.conditions:
            condition.check()
        return self

    @property
    def conditions(self) -> tuple[Condition, ...]:
        first = Condition(signal=self.signal, comparison=self.comparison, threshold=self.threshold)
        return (first, *self.also)


def recorded_rules(rules: Mapping[str, Any]) -> dict[str, Any]:
    """The section `health` by which a sweep that is there goes on with the rules that it was begun with, whatever the
    defaults are by now; `rules`: as its record has them."""
    fields = {name: field.get_default() for name, field in RuleSpec.model_fields.items() if not field.is_required()}
    kept = {name: fields | {"also": []} | rule for name, rule in rules.items()}
    return kept | {name: None for name in DEFAULT_RULES if name not in rules}


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
    # Too little, and no more than it had: lost, or stuck. In features noise has little diversity too, so that a run
    # that still improves is slow and not collapsed.
    "low_diversity": {
        "reason": "collapsed",
        "signal": "diversity_ratio",
        "comparison": "<",
        "threshold": 0.3,
        "also": [
            {"signal": "diversity_gain", "comparison": "<=", "threshold": 0.0},
            {"signal": "improvement", "comparison": "<", "threshold": 0.5},
        ],
        "patience": 3,
        "within": 6,
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
        "within": 6,
        "grace": 0.1,
    },
    # Mixtures: generators visit modes in turn before they hold them, so this waits for 30% of the budget.
    "few_modes": {
        "reason": "collapsed",
        "signal": "modes_share",
        "comparison": "<",
        "threshold": 0.5,
        "also": [
            {"signal": "modes_gain", "comparison": "<=", "threshold": 0.0},
            {"signal": "improvement", "comparison": "<", "threshold": 0.5},
        ],
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
        "within": 4,
        "grace": 0.05,
    },
    # Less far, but steadily: slow death, and what is learned by heart of few images.
    "declined": {
        "reason": "diverged",
        "signal": "decline",
        "comparison": ">",
        "threshold": 1.3,
        "also": [{"signal": "decline_in_noise", "comparison": ">", "threshold": 3.0}],
        "patience": 3,
        "grace": 0.2,
    },
    # It wins each pair, and nothing comes of the gradient that it gives.
    "discriminator_leads": {
        "reason": "discriminator_won",
        "signal": "discriminator_win_rate",
        "comparison": ">=",
        "threshold": 0.99,
        "also": [
            {"signal": "floors", "comparison": ">", "threshold": 5.0},
            {"signal": "improvement", "comparison": "<", "threshold": 0.5},
        ],
        "patience": 4,
        "grace": 0.4,
    },
    # The trained generator is far off while its average still looks well: the average follows. Twice in three looks: a
    # third of the digits' healthy runs are so far off once, and one in thirty twice.
    "raw_diverged": {
        "reason": "diverged",
        "signal": "raw_excess",
        "comparison": ">",
        "threshold": 3.0,
        "patience": 2,
        "within": 3,
        "action": "warn",
    },
    # At the end: what looked as dead half-way may have come to something. A run that still improves there was slow, or
    # its budget short; one of fewer than 5 evaluations is not judged.
    "never_covered": {
        "reason": "collapsed",
        "signal": "recall",
        "comparison": "<",
        "threshold": 0.02,
        "also": [
            {"signal": "coverage", "comparison": "<", "threshold": 0.2},
            {"signal": "improvement", "comparison": "<", "threshold": 1.0},
        ],
        "patience": 5,
        "within": 6,
        "at_end": True,
    },
    "lost_class": {
        "reason": "collapsed",
        "signal": "worst_class_share",
        "comparison": "<",
        "threshold": 0.15,
        "also": [{"signal": "coverage", "comparison": ">", "threshold": 0.3}],
        "patience": 2,
        "within": 3,
        "at_end": True,
    },
    "few_modes_at_end": {
        "reason": "collapsed",
        "signal": "modes_share",
        "comparison": "<",
        "threshold": 0.5,
        "also": [
            {"signal": "improvement", "comparison": "<", "threshold": 1.0},
        ],
        "patience": 5,
        "within": 6,
        "at_end": True,
    },
    "memorised": {
        "reason": "memorised",
        "signal": "memorised_share",
        "comparison": ">",
        "threshold": 0.25,
        "patience": 2,
        "within": 3,
        "at_end": True,
    },
}
