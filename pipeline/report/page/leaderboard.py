"""The leaderboard of a report: a row a trial, with a dot a seed on one scale for all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.record.state import SweepState
from pipeline.record.trials import Trial
from pipeline.report.charts.chart import wide
from pipeline.report.markdown import evidence_line
from pipeline.report.numbers import clock, number, signed
from pipeline.report.status import trial_rows, within_errors

SHOWN = 20  # rows, before one asks for more
WIDTH, HEIGHT, EDGE = 180.0, 18.0, 8.0  # of a row's scale, in pixels


@dataclass(frozen=True)
class Scale:
    """The one scale of all rows, over the scores of healthy trials."""

    low: float
    high: float
    log: bool

    def at(self, value: float) -> float | None:
        """Pixels from the left; None beyond the scale's ends."""
        if not self.low <= value <= self.high:
            return None
        if self.high == self.low:
            return WIDTH / 2
        of = math.log if self.log else float
        share = (of(value) - of(self.low)) / (of(self.high) - of(self.low))
        return round(EDGE + share * (WIDTH - 2 * EDGE), 1)


@dataclass(frozen=True)
class Strip:
    """What a row shows on the scale: a dot a seed of the search, a ring a fresh seed (same part of the data), and the
    interval of two standard errors over redraws of the samples. left, right: how many lie beyond its ends."""

    dots: tuple[float, ...]
    rings: tuple[float, ...]
    interval: tuple[float, float] | None
    left: int
    right: int
    said: str


@dataclass(frozen=True)
class Cell:
    """What a cell says, and what it is sorted by: a number, or text."""

    text: str
    key: float | str


@dataclass(frozen=True)
class Line:
    """A row of the table."""

    trial: int
    reason: str
    why: str
    strip: Strip
    cells: tuple[Cell, ...]
    best: bool


@dataclass(frozen=True)
class Leaderboard:
    """columns: of the cells, the ones about the outcome first, then a parameter each."""

    columns: tuple[str, ...]
    scale: Scale
    lines: tuple[Line, ...]


def leaderboard(state: SweepState, best: int | None) -> Leaderboard:
    """All trials in the order of the ranking, those without a score at the end."""
    rows = trial_rows(state)
    scale = _scale(state)
    names = list(dict.fromkeys(key for trial in state.trials.values() for key in trial.params))
    lines = []
    for rank, row in enumerate(rows, 1):
        trial = state.trials[row["trial"]]
        lines.append(
            Line(
                trial.number,
                str(row["end_reason"] or row["state"]),
                _why(trial),
                _strip(state, trial, scale),
                (
                    Cell(str(rank), rank),
                    _number(row["tail"], number(row["tail"])),
                    _number(row["best"], number(row["best"])),
                    _versus(row, state),
                    Cell(f"{row['images'] / 1000:.0f}", row["images"]),
                    Cell(clock(row["seconds"]), row["seconds"]),
                    *(_value(trial.params.get(name)) for name in names),
                ),
                trial.number == best,
            )
        )
    columns = ("rank", f"{state.metric}, tail", "best", "vs default", "kimg", "time", *names)
    return Leaderboard(columns, scale, tuple(lines))


def _scale(state: SweepState) -> Scale:
    tails = [
        tail
        for trial in state.trials.values()
        if trial.healthy
        for run in (*trial.runs.values(), *trial.confirmations.values())
        if run.healthy and (tail := run.tail(state.metric)) is not None and math.isfinite(tail)
    ]
    return Scale(min(tails, default=0.0), max(tails, default=1.0), wide(tails))


def _strip(state: SweepState, trial: Trial, scale: Scale) -> Strip:
    searched = _tails(trial.runs.values(), state.metric)
    fresh = _tails([run for run in trial.confirmations.values() if run.end_reason], state.metric)
    summary = trial.summary(state.metric)
    tail, error = summary.tail.get(state.metric), summary.errors.get(state.metric)
    interval = None
    if tail is not None and error is not None and math.isfinite(tail) and math.isfinite(error):
        low, high = max(tail - 2 * error, scale.low), min(tail + 2 * error, scale.high)
        ends = scale.at(low), scale.at(high)
        interval = (ends[0], ends[1]) if low <= high and ends[0] is not None and ends[1] is not None else None
    said = ", ".join(map(number, searched)) or "no score"
    if error is not None:
        said += f" ± {number(2 * error)}"
    if fresh:
        said += f"; on fresh seeds {', '.join(map(number, fresh))}"
    every = [*searched, *fresh]
    return Strip(
        tuple(at for value in searched if (at := scale.at(value)) is not None),
        tuple(at for value in fresh if (at := scale.at(value)) is not None),
        interval,
        sum(value < scale.low for value in every),
        sum(value > scale.high for value in every),
        said,
    )


def _tails(runs: Any, metric: str) -> Sequence[float]:
    tails = [run.tail(metric) for run in runs]
    return [tail for tail in tails if tail is not None and math.isfinite(tail)]


def _why(trial: Trial) -> str:
    run = next((run for run in trial.runs.values() if run.end_reason and run.end_reason == trial.end_reason), None)
    return evidence_line(str(run.end_reason), run.evidence) if run else trial.state


def _number(value: float | None, text: str) -> Cell:
    return Cell(text, value if value is not None and math.isfinite(value) else math.inf)


def _versus(row: dict[str, Any], state: SweepState) -> Cell:
    if state.default is not None and row["trial"] == state.default.number:
        return Cell("default", 0.0)
    within = "~" if within_errors(row["versus_default"], row["versus_default_error"]) else ""
    return _number(row["versus_default"], within + signed(row["versus_default"]))


def _value(value: Any) -> Cell:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return Cell(number(value), float(value) if numeric else "" if value is None else str(value))
