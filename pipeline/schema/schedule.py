"""Schedules: how a hyperparameter moves over the budget, that of the rates and that of any other alike."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from pipeline.schema.base import Strict, scalar

Kind = Literal["linear", "cosine"]
NUMBER, SCHEDULE = "a number", "a schedule"  # what such a hyperparameter is given as


def between(start: float, end: float, kind: Kind, hold: float, share: float) -> float:
    """`start` until `hold`, a share of the budget, then to `end` at the budget's end, by a line or by half a wave of
    the cosine (Loshchilov and Hutter 2017, eq. 5); exact at both ends. share: of the budget that is spent."""
    left = min(max(1 - share, 0.0) / (1 - hold), 1.0)
    if kind == "cosine":
        left = (1 - math.cos(math.pi * left)) / 2
    return start * left + end * (1 - left)


class ScheduleSpec(Strict):
    """What stands in the place of a number that moves: from `start` to `end` over the budget, or to `ratio` times
    `start`, so that how large it is and how far it goes are searched apart. schedule: linear or cosine; hold: the
    share of the budget that it stays at `start`."""

    start: float = scalar(..., ge=0)
    end: float | None = scalar(None, ge=0)
    ratio: float | None = scalar(None, ge=0, le=1000)
    schedule: Kind = "cosine"
    hold: float = scalar(0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _has_an_end(self) -> ScheduleSpec:
        if (self.end is None) == (self.ratio is None):
            given = "neither end nor ratio" if self.end is None else "end and ratio"
            raise ValueError(f"found {given}; valid: one of them")
        return self

    def at(self, share: float) -> float:
        """Its value when `share` of the budget is spent."""
        end = self.start * (self.ratio or 0.0) if self.end is None else self.end
        return between(self.start, end, self.schedule, self.hold, share)


class ShareScheduleSpec(Strict):
    """The same of what is a share, whose end no ratio would keep under 1."""

    start: float = scalar(..., ge=0, le=1)
    end: float = scalar(..., ge=0, le=1)
    schedule: Kind = "cosine"
    hold: float = scalar(0.0, ge=0, lt=1)

    def at(self, share: float) -> float:
        """Its value when `share` of the budget is spent."""
        return between(self.start, self.end, self.schedule, self.hold, share)


class DecayScheduleSpec(ShareScheduleSpec):
    """The same of what is kept of a running average, which is under 1."""

    start: float = scalar(..., ge=0, lt=1)
    end: float = scalar(..., ge=0, lt=1)


def _given(value: Any) -> str:
    return SCHEDULE if isinstance(value, dict | Strict) else NUMBER


# A number, or the schedule of one, by what it may be.
Positive = Annotated[
    Annotated[float, Field(gt=0), Tag(NUMBER)] | Annotated[ScheduleSpec, Tag(SCHEDULE)], Discriminator(_given)
]
NotNegative = Annotated[
    Annotated[float, Field(ge=0), Tag(NUMBER)] | Annotated[ScheduleSpec, Tag(SCHEDULE)], Discriminator(_given)
]
Share = Annotated[
    Annotated[float, Field(ge=0, le=1), Tag(NUMBER)] | Annotated[ShareScheduleSpec, Tag(SCHEDULE)],
    Discriminator(_given),
]
Decay = Annotated[
    Annotated[float, Field(ge=0, lt=1), Tag(NUMBER)] | Annotated[DecayScheduleSpec, Tag(SCHEDULE)],
    Discriminator(_given),
]
Scheduled = float | ScheduleSpec | ShareScheduleSpec


def value_at(given: Scheduled, share: float) -> float:
    """A hyperparameter's value when `share` of the budget is spent."""
    return given.at(share) if isinstance(given, Strict) else given
