"""What became of the runs of a sweep: parts of its state."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.faults import OUT_OF_MEMORY
from pipeline.record.events import Audited
from pipeline.record.measurement import Measurement
from pipeline.schema.metrics import known

TAIL = 3  # evaluations

HEALTH_REASONS = ("non_finite", "degenerate", "collapsed", "memorised", "discriminator_won", "diverged")
SETTLING = ("rung", "out_of_memory", "invalid", "crashed")  # another seed would tell nothing more
WELL = ("completed", "rung")  # to the full budget, or stopped by comparison alone
END_REASONS = (*WELL, *HEALTH_REASONS, "out_of_memory", "invalid", "crashed", "retries_spent")


@dataclass(frozen=True)
class Summary:
    """What a trial came to, over its runs: what every table, page and program is told of it.

    Of several seeds tail, best and final are medians, in which a run that was not healthy counts as worse than any;
    where those are the most, medians of what they had. Of the runs that ended, once it is decided how the trial did.
    """

    end_reason: str | None  # None until it is decided
    evidence: dict[str, Any] | None  # of the first run that ended so
    seeds: int  # runs that it has so far
    images: int  # of the run that had the most
    seconds: float  # of all runs
    tail: dict[str, float]  # by metric: the median of the last 3 evaluations
    best: dict[str, float]  # all metrics at the evaluation where the objective was best
    best_images: int | None  # of that evaluation
    final: dict[str, float]  # all metrics at the last evaluation
    errors: dict[str, float]  # standard errors of tails over redraws of the samples, of metrics that have one


@dataclass
class Run:
    """One training of a trial's configuration with one seed. replicate: the number of the seed, of a run that
    confirms a finalist (see picking/); None in the search."""

    trial: int
    seed: int
    attempt: int = 0
    replicate: int | None = None
    started: float = 0.0
    ended: float | None = None
    end_reason: str | None = None
    evidence: dict[str, Any] | None = None
    measurements: list[Measurement] = field(default_factory=list)
    audited: Audited | None = None  # where it was to be stopped
    faults: list[str] = field(default_factory=list)  # what ended its attempts, through no fault of its own
    refilled: int = 0  # how many of them it had when it was last measured
    host: str | None = None  # where its last attempt was sent
    node: str | None = None  # Ray's name of it, in a cluster
    avoided: set[str] = field(default_factory=set)  # nodes that were at fault for an attempt
    own: dict[str, bool] = field(default_factory=dict)  # metrics of one's own, with whether less is better

    @property
    def state(self) -> str:
        return "running" if self.end_reason is None else "finished"

    @property
    def images(self) -> int:
        return self.measurements[-1].images if self.measurements else 0

    @property
    def seconds(self) -> float:
        return self.measurements[-1].seconds if self.measurements else 0.0

    def spent(self, kind: str) -> int:
        """How many of its attempts a kind of fault has ended. What it came to in between counts: a run that goes on
        after each loss is not given up for their number. Memory that is short twice is short."""
        return (self.faults if kind == OUT_OF_MEMORY else self.faults[self.refilled :]).count(kind)

    @property
    def settles(self) -> bool:
        """Ended in a way that makes its trial's further seeds not worth a run."""
        return self.end_reason in SETTLING

    @property
    def healthy(self) -> bool:
        """Ended as a result that counts: trained to the full budget or stopped by comparison alone."""
        return self.end_reason in WELL

    def values(self, metric: str) -> list[tuple[int, float]]:
        """(images, value) at each evaluation that found the metric."""
        return [(m.images, m.metrics[metric]) for m in self.measurements if metric in m.metrics]

    def tail(self, metric: str) -> float | None:
        """The median of the last 3 evaluations: what the run is compared by."""
        return _tail(m.metrics[metric] for m in reversed(self.measurements) if metric in m.metrics)

    def tail_error(self, metric: str) -> float | None:
        """The standard error of a tail over redraws of the samples: that of one evaluation, the median of the last 3,
        since all are of the same inputs."""
        return _tail(m.errors[metric] for m in reversed(self.measurements) if metric in m.errors)

    def test_tail(self, metric: str) -> float | None:
        """The median of the last 3 evaluations on the test part; None of a run that did not confirm."""
        return _tail(m.test[metric] for m in reversed(self.measurements) if metric in m.test)

    def final(self, metric: str) -> float | None:
        """The value at the last evaluation."""
        values = self.values(metric)
        return values[-1][1] if values else None

    def minimises(self, metric: str) -> bool:
        """Whether less of it is better."""
        return known(metric, self.own).minimise

    def best(self, metric: str) -> tuple[int, float] | None:
        """(images, value) of the best evaluation, NaN only where all of them are."""
        values = self.values(metric)
        sign = 1 if self.minimises(metric) else -1
        return min(values, key=lambda at: nan_last(sign * at[1])) if values else None

    def at_best(self, objective: str) -> dict[str, float]:
        """All metrics at the evaluation where the objective was best."""
        best = self.best(objective)
        return next((dict(m.metrics) for m in self.measurements if best and m.images == best[0]), {})

    def at_end(self) -> dict[str, float]:
        """All metrics at the last evaluation; after a value that was not finite there was none any more."""
        return next((dict(m.metrics) for m in reversed(self.measurements) if m.metrics), {})

    def tails(self) -> dict[str, float]:
        """The tail of each metric."""
        names = dict.fromkeys(name for m in self.measurements for name in m.metrics)
        return {name: its_tail for name in names if (its_tail := self.tail(name)) is not None}

    def summary(self, objective: str) -> Summary:
        """The same of one run as of a trial."""
        return summary_of([self], [self], objective, self.end_reason)


def summary_of(runs: list[Run], counted: list[Run], objective: str, end_reason: str | None) -> Summary:
    def over(values: list[dict[str, float]]) -> dict[str, float]:
        names = dict.fromkeys(name for each in values for name in each)
        middles = {name: middle(counted, name, [each.get(name) for each in values]) for name in names}
        return {name: value for name, value in middles.items() if value is not None}

    names = sorted({name for run in counted for m in run.measurements for name in m.errors})
    images = median(best[0] if (best := run.best(objective)) else None for run in counted)
    return Summary(
        end_reason=end_reason,
        evidence=next((run.evidence for run in runs if end_reason and run.end_reason == end_reason), None),
        seeds=len(runs),
        images=max((run.images for run in runs), default=0),
        seconds=sum(run.seconds for run in runs),
        tail=over([run.tails() for run in counted]),
        best=over([run.at_best(objective) for run in counted]),
        best_images=None if images is None else round(images),
        final=over([run.at_end() for run in counted]),
        errors={name: error for name in names if (error := _error(counted, name)) is not None},
    )


def middle(runs: Sequence[Run], metric: str, values: Sequence[float | None]) -> float | None:
    """The median of a metric's values, one a run, where a run that ended unhealthy counts as worse than any; where
    those are the most, of what they had."""
    there = [(run, value) for run, value in zip(runs, values, strict=True) if value is not None]
    worst = math.inf if all(run.minimises(metric) for run, _ in there) else -math.inf
    centre = median(worst if run.end_reason and not run.healthy else value for run, value in there)
    return centre if centre is None or math.isfinite(centre) else median(value for _, value in there)


def _error(runs: list[Run], metric: str) -> float | None:
    """Of the runs' middle tail: their samples are drawn on their own."""
    errors = [error for run in runs if (error := run.tail_error(metric)) is not None]
    return math.hypot(*errors) / len(errors) if errors else None


def tail(values: Sequence[float]) -> float | None:
    """The median of the last 3 values; None without any, NaN where one of them is NaN."""
    return _tail(reversed(values))


def _tail(backwards: Iterable[float]) -> float | None:
    """The same of values that begin with the last one: of a long curve no more is looked at."""
    return median(itertools.islice(backwards, TAIL))


def median(values: Iterable[float | None]) -> float | None:
    """Of the values that are there; None without any, NaN where one of them is NaN."""
    there = [value for value in values if value is not None]
    if any(math.isnan(value) for value in there):  # a median would depend on where it stands
        return math.nan
    return statistics.median(there) if there else None


def nan_last(key: float) -> tuple[bool, float]:
    """To sort by: a NaN compares with nothing, so that where it stood would decide."""
    return math.isnan(key), 0.0 if math.isnan(key) else key
