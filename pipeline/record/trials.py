"""What became of the trials of a sweep, and how they are compared: parts of its state."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pipeline.record.runs import WELL, Run, Summary, middle, summary_of


@dataclass(frozen=True)
class Moved:
    """What a neighbour is: the trial `of` with one parameter (its full name) moved."""

    of: int
    parameter: str
    was: Any
    value: Any


@dataclass
class Trial:
    """One configuration that the sampler (or known_good) proposed. runs: those of the search, by seed, which alone
    are compared, ranked and told to the sampler; confirmations: those on fresh seeds, which confirm it. moved: of a
    neighbour of a trial (see picking/plateau.py), which is no trial of the sweep and has confirmations alone."""

    number: int
    point: dict[str, Any]
    spec: dict[str, Any]
    source: str
    proposed: float
    base_seeds: int = 1  # runs that every trial has
    seeds: int = 1  # runs that it is to have: more once it is promoted
    runs: dict[int, Run] = field(default_factory=dict)
    confirmations: dict[int, Run] = field(default_factory=dict)
    moved: Moved | None = None

    @property
    def title(self) -> str:
        """'trial 3', or 'trial 3 with optimiser.lr_d 0.0031'."""
        if self.moved is None:
            return f"trial {self.number}"
        value = f"{self.moved.value:.3g}" if isinstance(self.moved.value, float) else self.moved.value
        return f"trial {self.moved.of} with {next(iter(params({self.moved.parameter: None})))} {value}"

    @property
    def params(self) -> dict[str, Any]:
        return params(self.point)

    @property
    def first(self) -> Run | None:
        return next(iter(self.runs.values()), None)

    @property
    def state(self) -> str:
        if not self.runs:
            return "waiting"
        runs = self.runs.values()
        if any(run.state == "running" for run in runs):
            return "running"
        return "finished" if len(runs) >= self.seeds or any(run.settles for run in runs) else "running"

    @property
    def ended(self) -> list[Run]:
        return [run for run in self.runs.values() if run.end_reason is not None]

    @property
    def decided(self) -> bool:
        """Whether the runs that every trial has ended, or one that settles it; further ones may be under way."""
        ended = self.ended
        return bool(ended) and (len(ended) >= self.base_seeds or any(run.settles for run in ended))

    @property
    def share(self) -> float:
        """Of its runs that ended, how many were healthy; 1 before there is one."""
        ended = self.ended
        return sum(run.healthy for run in ended) / len(ended) if ended else 1.0

    @property
    def healthy(self) -> bool:
        """Ended as a result that counts."""
        return self.end_reason in WELL

    @property
    def counted(self) -> list[Run]:
        """The runs that say how it did: those that ended, once that is decided."""
        return self.ended if self.decided else list(self.runs.values())

    def tail(self, metric: str) -> float | None:
        """What the trial is compared by: the tail of its summary()."""
        return middle(self.counted, metric, [run.tail(metric) for run in self.counted])

    def summary(self, objective: str) -> Summary:
        """What it came to so far."""
        return summary_of(list(self.runs.values()), self.counted, objective, self.end_reason)

    @property
    def end_reason(self) -> str | None:
        """None until it is decided. What most of the runs that ended were: where half of them or more were not healthy
        the most frequent reason of those, else rung, if one was stopped there, else completed."""
        if not self.decided:
            return None
        ended = self.ended
        unhealthy = [str(run.end_reason) for run in ended if not run.healthy]
        if 2 * len(unhealthy) >= len(ended):
            return most_frequent(unhealthy)
        return "rung" if any(run.end_reason == "rung" for run in ended) else "completed"


def most_frequent(reasons: list[str]) -> str:
    """The first of those that are there most often."""
    return max(dict.fromkeys(reasons), key=reasons.count)


def failed_most(runs: Iterable[Run]) -> str:
    """'collapsed (3)': how most of the runs ended that did not end well."""
    reasons = [str(run.end_reason) for run in runs if run.end_reason is not None and not run.healthy]
    return f"{most_frequent(reasons)} ({reasons.count(most_frequent(reasons))})" if reasons else "completed"


def params(point: dict[str, Any]) -> dict[str, Any]:
    """The searched values by dotted key: a parameter's name without the branches it is under."""
    return {re.sub(r"\[[^\]]*\]", "", name): value for name, value in point.items()}
