"""What the sampler hears of a run, by the reason it ended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pipeline.record.front import of_trial
from pipeline.record.runs import END_REASONS, HEALTH_REASONS, Run, median, tail
from pipeline.record.trials import Trial
from pipeline.schema.sweep import ObjectiveSpec

# the configuration is to blame, reproducibly: told as a result that is worse than any, and as a broken constraint
PENALISED = (*HEALTH_REASONS, "out_of_memory", "invalid")
# nobody knows whose fault it was: the sampler learns nothing
FAILED = ("crashed", "retries_spent")


@dataclass(frozen=True)
class Outcome:
    """reason: the end reason. value: the run's tail, or the median over a trial's runs, None where it has none.
    rungs: (images, tail) at each evaluation of a run that a rung stopped. more: of several objectives the values of
    the second one and on; value is the first one's."""

    reason: str
    value: float | None
    rungs: list[tuple[int, float]] = field(default_factory=list)
    more: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.reason not in END_REASONS:
            raise ValueError(f"{self.reason} is no end reason ({', '.join(END_REASONS)})")

    @property
    def failure(self) -> str | None:
        """The constraint that the configuration broke. A run that went its way without a finite tail (its
        rules were turned off) broke non_finite."""
        if self.reason in PENALISED:
            return self.reason
        finite = self.value is not None and all(map(math.isfinite, (self.value, *self.more)))
        if self.reason not in FAILED and not finite:
            return "non_finite"
        return None

    @property
    def result(self) -> float | None:
        """The value that it tells as it is."""
        return self.value if self.failure is None and self.reason not in FAILED else None

    @property
    def results(self) -> tuple[float, ...] | None:
        """The same of all objectives."""
        return None if self.result is None else (self.result, *self.more)


def outcome(run: Run, metric: str) -> Outcome:
    """What an ended run tells. Raises ValueError for one that runs still."""
    if run.end_reason is None:
        raise ValueError(f"run {run.trial} with seed {run.seed} has not ended")
    values = run.values(metric)
    rungs = []
    if run.end_reason == "rung":
        for at, (images, _) in enumerate(values, start=1):
            value = tail([value for _, value in values[:at]])
            assert value is not None
            rungs.append((images, value))
    return Outcome(run.end_reason, run.tail(metric), rungs)


def trial_outcome(trial: Trial, metric: str, wanted: Sequence[ObjectiveSpec] = ()) -> Outcome | None:
    """What a trial tells by its runs that ended; None as long as those that every trial has have not.

    Its value is the median over its seeds, and one that did not stay healthy is worse than any: where most fail, the
    trial failed, by its most frequent reason. Runs that crashed, through whosever fault, count only if there is no
    other. `wanted`: several objectives, the first of which is `metric`'s tail.
    """
    told = _told(trial, metric)
    if told is None or told.result is None or not wanted:
        return told
    values = of_trial(trial, wanted)
    return Outcome("non_finite", None) if values is None else replace(told, more=values[1:])


def _told(trial: Trial, metric: str) -> Outcome | None:
    if not trial.decided:
        return None
    ended = trial.ended
    told = [outcome(run, metric) for run in ended]
    known = [each for each in told if each.reason not in FAILED] or told
    if len(known) == 1:
        return known[0]
    worst = math.inf if ended[0].minimises(metric) else -math.inf
    middle = median(worst if each.result is None else each.result for each in known)
    if middle is None or not math.isfinite(middle):
        reasons = [each.failure or each.reason for each in known if each.result is None]
        return Outcome(max(dict.fromkeys(reasons), key=reasons.count), None)
    stopped: Sequence[Outcome] = [each for each in known if each.reason == "rung"]
    if stopped:
        return Outcome("rung", middle, stopped[0].rungs)
    return Outcome("completed", middle)
