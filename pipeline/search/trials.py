"""The trials of a sweep as Optuna has them, kept from proposal to proposal: one is made anew when something in it
changes, not for each proposal after it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from pipeline.search.outcome import FAILED, Outcome
from pipeline.space.tree import Point

# GPSampler wants the same constraints of every trial and fits a process to each (seconds): it gets one for all.
ANY_FAILURE = "failure"


class Trials:
    """What was asked and told, from which frozen() follows.

    A failure is a value worse than any that was found, by as much as those spread, and a broken constraint; each
    trial that was told has a value of each constraint that any of them broke. So a new extreme changes the trials
    that failed, and a new kind of failure changes all of them.
    """

    def __init__(self, distributions: dict[str, BaseDistribution], minimise: Iterable[bool]) -> None:
        """`distributions`: by parameter. `minimise`: of each objective, whether less of it is better."""
        self._distributions, self._minimise = distributions, tuple(minimise)
        self._points: list[Point] = []
        self._told: dict[int, Outcome] = {}
        self._forget()
        self._made: list[FrozenTrial] = []
        self._made_with: tuple[tuple[float, ...], list[str]] = ((), [])
        self._changed: set[int] = set()

    def __len__(self) -> int:
        return len(self._points)

    def ask(self, number: int, point: Point) -> None:
        """Trial `number` runs from now on. Raises ValueError for any but the next."""
        if number < len(self):
            raise ValueError(f"trial {number} has been asked for")
        if number > len(self):
            raise ValueError(f"trial {number} is asked for before trial {len(self)}")
        self._points.append(point)

    def tell(self, number: int, outcome: Outcome) -> None:
        """What it came to; again where that has changed. Raises ValueError for one that was not asked for."""
        if number >= len(self):
            raise ValueError(f"trial {number} was not asked for")
        again = number in self._told
        self._told[number] = outcome
        self._changed.add(number)
        if again:
            self._forget()
        for told in self._told if again else (number,):
            self._count(told)

    def frozen(self, one_failure: bool = False) -> list[FrozenTrial]:
        """By number; one that was not told is RUNNING. `one_failure`: all failures are one constraint."""
        penalties = tuple(map(_penalty, self._found, self._minimise))
        failures = sorted(self._failures) if not one_failure else [ANY_FAILURE] * bool(self._failures)
        if (penalties, failures) != self._made_with:
            self._changed |= self._failed if failures == self._made_with[1] else self._told.keys()
            self._made_with = penalties, failures
        for number in range(len(self._made), len(self)):
            self._made.append(self._trial(number))
        for number in self._changed:
            self._made[number] = self._trial(number)
        self._changed.clear()
        return list(self._made)

    def _forget(self) -> None:
        self._failed: set[int] = set()  # those without a result
        self._failures: set[str] = set()
        self._found: list[list[float]] = [[] for _ in self._minimise]  # least and most of each objective's results

    def _count(self, number: int) -> None:
        told = self._told[number]
        if told.failure:
            self._failures.add(told.failure)
        if told.results is None:
            self._failed.add(number)
            return
        for at, value in enumerate(told.results):
            known = [value, *self._found[at]]
            self._found[at] = [min(known), max(known)]

    def _trial(self, number: int) -> FrozenTrial:
        penalties, failures = self._made_with
        point, told = self._points[number], self._told.get(number)
        state, rungs = TrialState.COMPLETE, {}
        values: tuple[float, ...] | None = None
        constraints: dict[str, float] = {}
        if told is None:
            state = TrialState.RUNNING
        elif told.reason in FAILED:
            state = TrialState.FAIL
        elif told.results is not None and told.reason == "rung":
            state, values, rungs = TrialState.PRUNED, told.results, dict(told.rungs)
        else:
            broken = (told.failure, ANY_FAILURE) if told.failure else ()
            constraints = {failure: 1.0 if failure in broken else -1.0 for failure in failures}
            values = penalties if told.results is None else told.results
        now = datetime.now()
        trial = FrozenTrial(
            number=number,
            trial_id=number,
            state=state,
            value=None,
            values=values,
            datetime_start=now,
            datetime_complete=None if told is None else now,
            params=dict(point),
            distributions={name: self._distributions[name] for name in point},
            user_attrs={},
            system_attrs={},
            intermediate_values=rungs,
        )
        for name, broken_by in constraints.items():
            trial.set_constraint(name, broken_by)
        return trial


def _penalty(values: list[float], minimise: bool) -> float:
    """A finite value worse than any of `values`, the least and the most, by as much as those spread."""
    if not values:
        return 1.0 if minimise else -1.0
    least, most = values
    worst = most if minimise else least
    spread = (most - least) or abs(worst) or 1.0
    penalty = worst + spread if minimise else worst - spread
    return max(-sys.float_info.max, min(sys.float_info.max, penalty))
