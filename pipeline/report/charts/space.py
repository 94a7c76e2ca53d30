"""Charts over the space: how each parameter went with the outcome, all of them together, and what mattered."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipeline.record.runs import END_REASONS
from pipeline.record.state import SweepState
from pipeline.record.trials import Trial
from pipeline.report.charts.chart import MARKS, Axis, Chart, Dimension, Parallel, Series, wide
from pipeline.report.numbers import number
from pipeline.space.distributions import Choice, Range, Steps
from pipeline.space.tree import Parameter, Space

LEAST = 3  # trials, for a slice
TICKS = 4  # of a number's axis
ABSENT = "–"
BAND = 0.12  # of an axis, below it: where trials are that have no such parameter


def slices(state: SweepState, space: Space) -> list[Chart]:
    """A chart a parameter that 3 trials have or more: the objective's tail over it, with a mark for how each ended."""
    charts = []
    used = _named(space)
    for parameter in space.parameters():
        trials = [trial for trial in state.trials.values() if parameter.name in trial.point]
        scored = [(trial, tail) for trial in trials if (tail := trial.tail(state.metric)) is not None]
        scored = [(trial, tail) for trial, tail in scored if math.isfinite(tail)]
        if len(scored) >= LEAST:
            charts.append(_slice(state, parameter, used[parameter.name], scored))
    return charts


def _slice(state: SweepState, parameter: Parameter, title: str, scored: list[tuple[Trial, float]]) -> Chart:
    distribution = parameter.distribution
    options = tuple(map(str, distribution.options)) if isinstance(distribution, Choice) else ()
    series = []
    for reason in (None, *reversed(END_REASONS)):
        mine = [(trial, tail) for trial, tail in scored if trial.end_reason == reason]
        if not mine:
            continue
        x = tuple(_place(parameter, trial, spread=True) for trial, _ in mine)
        said = reason or "running"
        text = tuple(f"trial {trial.number}: {number(trial.point[parameter.name])}, {said}" for trial, _ in mine)
        mark = MARKS.get(said, "circle")
        series.append(Series(said, said, x, tuple(tail for _, tail in mine), "dots", text, mark=mark))
    log = isinstance(distribution, Range) and distribution.log
    return Chart(
        "slice-" + "".join(each if each.isalnum() else "-" for each in title).strip("-"),
        title,
        "",
        Axis(title, log=log, categories=options, whole=_whole(parameter)),
        Axis(state.metric, log=wide([tail for _, tail in scored])),
        tuple(series),
    )


def _place(parameter: Parameter, trial: Trial, spread: bool = False) -> float:
    """Where a trial stands on the parameter's axis; spread: beside its option, so that those with one are all seen."""
    value, distribution = trial.point[parameter.name], parameter.distribution
    if not isinstance(distribution, Choice):
        return float(value)
    aside = ((trial.number * 0.6180339887) % 1 - 0.5) * 0.5 if spread else 0.0  # the golden ratio: even, not random
    return [str(option) for option in distribution.options].index(str(value)) + aside


def _whole(parameter: Parameter) -> bool:
    return isinstance(parameter.distribution, Range | Steps) and parameter.distribution.whole


def _named(space: Space) -> dict[str, str]:
    """By full name how each parameter is written: its dotted key, with the branch where two have the same."""
    keys = [parameter.key for parameter in space.parameters()]
    return {
        parameter.name: parameter.key
        if keys.count(parameter.key) == 1
        else f"{parameter.key} ({', '.join(label for _, label in parameter.branch)})"
        for parameter in space.parameters()
    }


def parallel(state: SweepState, space: Space) -> Parallel:
    """Every trial that ended as a line through its parameters' values to its tail."""
    ranked = state.ranking()
    trials = [trial for trial in ranked if trial.end_reason is not None]
    healthy = {trial.number: place for place, trial in enumerate(trial for trial in trials if trial.healthy)}
    worst = max(len(healthy) - 1, 1)
    shade = [1 - healthy[trial.number] / worst if trial.number in healthy else -0.25 for trial in trials]
    titles = _named(space)
    dimensions = []
    for parameter in space.parameters():
        there = [trial.point.get(parameter.name) for trial in trials]
        if len({value for value in there if value is not None}) > 1:
            dimensions.append(_dimension(parameter, titles[parameter.name], trials))
    tails = [trial.tail(state.metric) for trial in trials]
    finite = [tail if tail is not None and math.isfinite(tail) else None for tail in tails]
    dimensions.append(_numbers(state.metric, finite, wide([tail for tail in finite if tail is not None])))
    return Parallel(
        "parallel",
        "All trials at once",
        "A line a trial; drag along an axis to keep those in a range, and the table of all trials follows (or go to an "
        "axis by Tab: arrows move a range, + and - widen and narrow it, Escape lets it go). The better the rank, the "
        f"stronger the colour; failed ones are grey. {ABSENT} is a parameter that a trial has not.",
        tuple(trial.number for trial in trials),
        tuple(shade),
        tuple(dimensions),
    )


def _dimension(parameter: Parameter, title: str, trials: list[Trial]) -> Dimension:
    distribution = parameter.distribution
    there = [_place(parameter, trial) if parameter.name in trial.point else None for trial in trials]
    if isinstance(distribution, Choice):
        ticks = tuple((float(at), str(option)) for at, option in enumerate(distribution.options))
        return _absent(Dimension(title, tuple(there), ticks, choice=True), 0)
    return _numbers(title, there, isinstance(distribution, Range) and distribution.log, _whole(parameter))


def _numbers(title: str, values: list[float | None], log: bool, whole: bool = False) -> Dimension:
    """A number's axis; of a logarithmic one the decimal logarithms, with the values themselves written beside it."""
    placed = [None if value is None else math.log10(value) if log else value for value in values]
    known = [value for value in placed if value is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    places = [low + (high - low) * at / (TICKS - 1) for at in range(TICKS)] if high > low else [low]
    if whole and not log:
        places = sorted({float(round(place)) for place in places})
    ticks = tuple((place, f"{10**place if log else place:.3g}") for place in places)
    return _absent(Dimension(title, tuple(placed), ticks, log), high - low)


def _absent(dimension: Dimension, width: float) -> Dimension:
    """With a place below the axis for those that have no value, where there are such."""
    if None not in dimension.values:
        return dimension
    below = min(at for at, _ in dimension.ticks) - (max(width, 1e-9) * BAND if width else 1.0)
    return replace(dimension, ticks=((below, ABSENT), *dimension.ticks))


def importance_chart(shares: Mapping[str, float], evaluator: str, space: Space) -> Chart:
    """What mattered, as search/importance.py says; the greatest above."""
    shown: list[tuple[str, Any]] = [(name, share) for name, share in shares.items() if share > 0][:12][::-1]
    titles = _named(space)
    names = tuple(titles[name] for name, _ in shown)
    return Chart(
        "importance",
        "What mattered",
        f"The share of each parameter in whether a trial was among the best quarter ({evaluator}).",
        Axis("share, %"),
        Axis("", categories=names),
        (
            Series(
                "importance",
                "best",
                tuple(100 * share for _, share in shown),
                tuple(float(at) for at in range(len(shown))),
                "bars",
                tuple(f"{name} {share:.0%}" for name, (_, share) in zip(names, shown, strict=True)),
            ),
        ),
    )
