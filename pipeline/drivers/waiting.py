"""For how long a run may say nothing: its worker looks at that too (deadline.bounded), but a frozen one looks at
nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from pipeline.deadline import deadline

SLACK = 60.0  # seconds, at most half of the deadline: in which a worker that can says itself what it was in
Key = tuple[int, int]  # trial, seed


class Waiting:
    """When each run under way was last heard of. Times are of a steady clock of the driver's own; runs that one worker
    trains in turns are heard of together."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._since: dict[Key, float] = {}
        self._together: dict[Key, Sequence[Key]] = {}
        self._seconds: dict[Key, list[float]] = {}  # that the evaluations of each took, over its attempts

    def began(self, runs: Sequence[Key]) -> None:
        """Their worker is there."""
        for run in runs:
            self._since[run], self._together[run] = self._now(), runs

    def heard(self, run: Key) -> None:
        """It was measured."""
        if run in self._since:
            self._seconds.setdefault(run, []).append(self._now() - self._since[run])
            self._since |= {each: self._now() for each in self._together[run] if each in self._since}

    def over(self, run: Key) -> None:
        """Its attempt is over."""
        self._since.pop(run, None)
        self._together.pop(run, None)

    def overdue(self, runs: Sequence[Key]) -> float | None:
        """The seconds for which nothing was heard of any of them, where they are too many."""
        under_way = [run for run in runs if run in self._since]
        if not under_way:
            return None
        known = [self._seconds.get(run, []) for run in under_way]
        limit = max(deadline(seconds) for seconds in known)
        silent = self._now() - max(self._since[run] for run in under_way)
        return silent if silent > limit + min(SLACK, limit / 2) else None
