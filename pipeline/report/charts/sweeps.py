"""Sweeps side by side: what each found, how fast, and how its runs ended."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from pipeline.record.runs import END_REASONS
from pipeline.record.state import SweepState
from pipeline.report.charts.chart import SWEEPS, Axis, Chart, Mark, Series, wide
from pipeline.report.charts.runs import objective
from pipeline.report.compare import Sweep
from pipeline.report.numbers import number


def scores_chart(sweeps: Sequence[Sweep], states: Sequence[SweepState]) -> Chart:
    """What each found: the best of its search, its default, and what was confirmed with its interval."""
    below = list(reversed(sweeps))
    kinds: tuple[tuple[str, str, Mark, list[float | None]], ...] = (
        ("the default", "default", "square", [each.default for each in below]),
        ("best of the search, tail", "faint", "circle", [each.best for each in below]),
        ("confirmed, 95%", "best", "diamond", [each.confirmed for each in below]),
    )
    series = []
    for name, role, mark, values in kinds:
        there = [
            (float(at), each, value)
            for at, (each, value) in enumerate(zip(below, values, strict=True))
            if value is not None and math.isfinite(value)
        ]
        ends = [each.interval or (math.nan, math.nan) for _, each, _ in there]
        confirmed = role == "best"
        series.append(
            Series(
                name,
                role,
                tuple(value for _, _, value in there),
                tuple(at for at, _, _ in there),
                "dots",
                tuple(f"{each.name}: {number(value)}" for _, each, value in there),
                low=tuple(low for low, _ in ends) if confirmed else (),
                high=tuple(high for _, high in ends) if confirmed else (),
                mark=mark,
                strong=confirmed,
            )
        )
    shown = tuple(each for each in series if each.x)
    every = [value for each in shown for value in (*each.x, *each.low, *each.high) if math.isfinite(value)]
    return Chart(
        "scores",
        "What each found",
        "The search's best is on the validation part and was partly lucky; what is confirmed is on the test part, over "
        "seeds that the search never used.",
        Axis(objective(states[0]), log=wide(every)),
        Axis("", categories=tuple(each.name for each in below)),
        shown,
    )


def progress_chart(states: Sequence[SweepState]) -> Chart:
    """The best so far over what was spent on training and evaluating."""
    gpu = any(state.share for state in states)
    series = []
    for at, state in enumerate(states):
        x, y, text = _best_so_far(state)
        series.append(Series(state.name, SWEEPS[at % len(SWEEPS)], x, y, "steps", text, strong=True))
    return Chart(
        "progress",
        "How fast each found it",
        "The best healthy trial so far over what the trials before it and itself had spent, in the order in which they "
        "were proposed. A step further down or more to the left is better where less is better.",
        Axis("GPU-hours of runs" if gpu else "core-hours of runs"),
        Axis(objective(states[0]), log=wide([value for each in series for value in each.y])),
        tuple(each for each in series if each.x),
    )


def _best_so_far(state: SweepState) -> tuple[tuple[float, ...], tuple[float, ...], tuple[str, ...]]:
    x, y, text = list[float](), list[float](), list[str]()
    sign, seconds, best = (1 if state.known.minimise else -1), 0.0, math.inf
    for trial in state.trials.values():
        seconds += sum(run.seconds for run in trial.runs.values())
        tail = trial.tail(state.metric)
        if trial.healthy and tail is not None and math.isfinite(tail) and sign * tail < best:
            best = sign * tail
            x.append(seconds * (state.share or state.cores) / 3600)
            y.append(tail)
            text.append(f"{state.name}, trial {trial.number}: {number(tail)}")
    if x:
        x.append(max(seconds * (state.share or state.cores) / 3600, x[-1]))
        y.append(y[-1])
        text.append(f"{state.name}: {number(y[-1])} at its end")
    return tuple(x), tuple(y), tuple(text)


def fates_chart(states: Sequence[SweepState]) -> Chart:
    """How the runs of each search ended, in shares."""
    below = list(reversed(states))
    counts = [Counter(run.end_reason for run in state.runs if run.end_reason) for state in below]
    series = []
    for reason in END_REASONS:
        if any(each[reason] for each in counts):
            shares = tuple(100 * each[reason] / max(each.total(), 1) for each in counts)
            text = tuple(
                f"{state.name}: {each[reason]} of {each.total()} {reason}"
                for state, each in zip(below, counts, strict=True)
            )
            series.append(Series(reason, reason, shares, tuple(map(float, range(len(below)))), "bars", text))
    return Chart(
        "fates",
        "How their runs ended",
        "Of the runs of each search that ended, the share that ended so.",
        Axis("runs, %"),
        Axis("", categories=tuple(state.name for state in below)),
        tuple(series),
    )
