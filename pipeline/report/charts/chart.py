"""What a chart shows, as data: drawn by interactive.py on a page or in a notebook, by printed.py for a paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.record.runs import END_REASONS

# Of the colours that people who see colours differently can tell apart (Okabe and Ito 2008), on light and on dark; a
# mark beside each, so that a reason is told from another one without its colour too.
COLOURS = {
    "completed": "#009e73",
    "running": "#56b4e9",
    "rung": "#8a8f98",
    "collapsed": "#d55e00",
    "degenerate": "#cc79a7",
    "discriminator_won": "#e69f00",
    "diverged": "#b0457b",
    "non_finite": "#a0522d",
    "memorised": "#7b68c8",
    "out_of_memory": "#5f6caf",
    "invalid": "#6b7a8f",
    "crashed": "#c0392b",
    "retries_spent": "#4f5d75",
    "best": "#0072b2",
    "default": "#e69f00",
    "faint": "#9aa3af",
    "sweep 1": "#0072b2",
    "sweep 2": "#d55e00",
    "sweep 3": "#009e73",
    "sweep 4": "#cc79a7",
    "sweep 5": "#e69f00",
    "sweep 6": "#56b4e9",
}
SWEEPS = tuple(role for role in COLOURS if role.startswith("sweep "))
Mark = Literal["circle", "square", "diamond", "cross", "x", "triangle-up", "triangle-down", "star"]
_MARKS: tuple[Mark, ...] = ("x", "square", "diamond", "cross", "triangle-up", "triangle-down", "star")
MARKS: dict[str, Mark] = {
    reason: "circle" if reason == "completed" else _MARKS[at % len(_MARKS)] for at, reason in enumerate(END_REASONS)
}
GLYPHS: dict[Mark, str] = {
    "circle": "●",
    "square": "■",
    "diamond": "◆",
    "cross": "+",
    "x": "×",
    "triangle-up": "▲",
    "triangle-down": "▼",
    "star": "★",
}
WIDE = 10.0  # times, between the ends of what is positive: from there on an axis is logarithmic


@dataclass(frozen=True)
class Axis:
    """log: logarithmic. categories: what stands at 0, 1, 2, ... in place of numbers. whole: of whole numbers alone."""

    title: str
    log: bool = False
    categories: tuple[str, ...] = ()
    whole: bool = False


@dataclass(frozen=True)
class Series:
    """Points with one name and one colour (`role`, a key of COLOURS). line: joined in their order, broken where a y is
    NaN. steps: the same, level up to the next one. dots: each by itself, with an interval from low to high where there
    are. bars: lying, each behind those of the series before. columns: standing, on those of the series before.
    text: what is said of each point. strong: drawn wider, before the others."""

    name: str
    role: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    kind: Literal["line", "steps", "dots", "bars", "columns"] = "line"
    text: tuple[str, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    mark: Mark = "circle"
    strong: bool = False


@dataclass(frozen=True)
class Chart:
    """name: a file's, in small letters with dashes. about: what is seen, and how to read it, in a sentence or two."""

    name: str
    title: str
    about: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]


@dataclass(frozen=True)
class Dimension:
    """One axis of parallel coordinates: each trial's value (where it stands, of a choice its place, None where the
    trial has no such parameter), and what is written where. log: the values are decimal logarithms."""

    title: str
    values: tuple[float | None, ...]
    ticks: tuple[tuple[float, str], ...]
    log: bool = False
    choice: bool = False

    @property
    def placed(self) -> list[float]:
        """The values, with those that are not there at the lowest tick, which then is theirs."""
        return [self.ticks[0][0] if value is None else value for value in self.values]

    @property
    def reach(self) -> tuple[float, float]:
        """Where the axis begins and ends."""
        places = [*(at for at, _ in self.ticks), *self.placed]
        return min(places), max(places)


@dataclass(frozen=True)
class Parallel:
    """Parallel coordinates: a line a trial. trials: their numbers, in the order of the values. shade: from 0, the worst
    rank, to 1, the best; failed ones are below 0."""

    name: str
    title: str
    about: str
    trials: tuple[int, ...]
    shade: tuple[float, ...]
    dimensions: tuple[Dimension, ...]


def wide(values: Sequence[float]) -> bool:
    """Whether values are to be seen on a logarithmic axis: all positive, the largest over 10 times the least."""
    finite = [value for value in values if math.isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) > WIDE * min(finite)
