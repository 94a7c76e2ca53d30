"""Charts over the budget: how runs learned, when they ended, and what more trials would have brought."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pipeline.record.runs import END_REASONS, Run
from pipeline.record.state import SweepState
from pipeline.report.charts.chart import MARKS, Axis, Chart, Series, wide
from pipeline.report.numbers import number
from pipeline.schema.features import measured_in

BINS = 20  # of the budget
CURVES = 60  # shown at most: more hide each other


def learning_curves(state: SweepState, picked: int | None = None) -> Chart:
    """The objective over training images, a line a run of the search, a mark where it ended. picked: the trial that a
    pick took, which is then the one that stands out in place of the search's best."""
    runs = [run for run in state.runs if run.values(state.metric)]
    shown = _chosen(state, runs)
    best = picked if picked is not None else state.best_trial.number if state.best_trial else None
    by_role = dict[str, list[Run]]()
    for run in shown:
        by_role.setdefault(_role(run, best), []).append(run)
    order = [*reversed(END_REASONS), "running", "completed", "best"]
    series = []
    for role in sorted(by_role, key=order.index):
        x, y, text = _joined(by_role[role], state.metric)
        name = f"trial {best}, the {'best' if picked is None else 'answer'}" if role == "best" else role
        series.append(Series(name, role, x, y, text=text, strong=role == "best"))
    for role in sorted(by_role, key=order.index):
        if role in ("running", "completed", "best"):
            continue
        last = [(run, run.values(state.metric)[-1]) for run in by_role[role]]
        text = tuple(f"trial {run.trial}: {role} at {images:,} images" for run, (images, _) in last)
        x, y = (tuple(float(at[which]) for _, at in last) for which in (0, 1))
        series.append(Series(f"{role}, its end", role, x, y, "dots", text, mark=MARKS[role]))
    every = [value for one in series for value in one.y]
    left = (
        "" if len(shown) == len(runs) else f" {len(shown)} of {len(runs)} runs are shown: the best, and an even draw."
    )
    return Chart(
        "learning-curves",
        "Learning curves",
        f"{state.metric} on the validation part at each evaluation; a mark is where a run was stopped.{left}",
        Axis("training images shown to the discriminator"),
        Axis(objective(state), log=wide(every)),
        tuple(series),
    )


def _chosen(state: SweepState, runs: list[Run]) -> list[Run]:
    """Those of the best trials, and of the others as many as there is room for, evenly."""
    if len(runs) <= CURVES:
        return runs
    first = {trial.number for trial in state.ranking()[: CURVES // 3]}
    others = [run for run in runs if run.trial not in first]
    best = [run for run in runs if run.trial in first][: CURVES // 2]
    places = np.linspace(0, len(others) - 1, CURVES - len(best)) if others else np.zeros(0)
    return [*best, *(others[at] for at in dict.fromkeys(map(int, places)))]


def _role(run: Run, best: int | None) -> str:
    return "best" if run.trial == best else run.end_reason or "running"


def _joined(runs: Sequence[Run], metric: str) -> tuple[tuple[float, ...], tuple[float, ...], tuple[str, ...]]:
    """The curves as one line with gaps: a page draws few long lines faster than many short ones."""
    x, y, text = list[float](), list[float](), list[str]()
    for run in runs:
        for images, value in run.values(metric):
            x.append(float(images))
            y.append(value if math.isfinite(value) else math.nan)
            text.append(f"trial {run.trial}")
        x.append(x[-1])
        y.append(math.nan)
        text.append("")
    return tuple(x), tuple(y), tuple(text)


def ends_over_budget(state: SweepState) -> Chart:
    """When runs of the search ended, and as what."""
    ended = [run for run in state.runs if run.end_reason]
    budgets = [state.trials[run.trial].spec["budget"]["images"] for run in ended]
    most = max(budgets, default=1)
    width = most / BINS
    series = []
    for reason in END_REASONS:
        places = [min(int(run.images / width * (1 - 1e-9)), BINS - 1) for run in ended if run.end_reason == reason]
        if not places:
            continue
        counts = [places.count(place) for place in range(BINS)]
        x = tuple((place + 0.5) * width for place in range(BINS))
        text = tuple(
            f"{count} {reason} from {place * width:,.0f} to {(place + 1) * width:,.0f} images"
            for place, count in enumerate(counts)
        )
        series.append(Series(f"{reason} ({len(places)})", reason, x, tuple(map(float, counts)), "columns", text))
    return Chart(
        "ends",
        "What ended, and when",
        "Runs of the search by the training images that they had when they ended.",
        Axis("training images shown to the discriminator"),
        Axis("runs", whole=True),
        tuple(series),
    )


def expected_best(values: Sequence[float], minimise: bool) -> list[float]:
    """The expected best of n of these values drawn without replacement, for n from 1 to all (what Kurach et al. 2019
    show; in closed form, of draws with replacement, Dodge et al. 2019, arXiv:1909.03004, eq. 5)."""
    ordered = np.sort(np.asarray(values, dtype=float))
    ordered = ordered if minimise else ordered[::-1]
    count = len(ordered)
    expected = []
    for drawn in range(1, count + 1):
        # the best of a draw is at place i if i is drawn and the others are from behind it
        chances = np.zeros(count)
        chances[0] = drawn / count
        for place in range(1, count - drawn + 1):
            chances[place] = chances[place - 1] * (count - place - drawn + 1) / (count - place)
        expected.append(float(chances @ ordered))
    return expected


def budget_curve(state: SweepState) -> Chart:
    """The expected best of so many trials, and the best so far in the order in which they were proposed."""
    tails = {trial.number: trial.tail(state.metric) for trial in state.trials.values() if trial.end_reason is not None}
    healthy = {n: v for n, v in tails.items() if v is not None and math.isfinite(v) and state.trials[n].healthy}
    minimise = state.known.minimise
    worst = (max if minimise else min)(healthy.values(), default=math.nan)
    values = [healthy.get(number, worst) for number in sorted(tails)]
    counts = tuple(float(at) for at in range(1, len(values) + 1))
    series = []
    if healthy:
        so_far = list(np.minimum.accumulate(values) if minimise else np.maximum.accumulate(values))
        text = tuple(
            f"the best of the first {at:.0f}: {number(float(v))}" for at, v in zip(counts, so_far, strict=True)
        )
        series.append(
            Series("as it was searched", "best", counts, tuple(map(float, so_far)), "steps", text, strong=True)
        )
        expected = expected_best(values, minimise)
        text = tuple(f"of {at:.0f} trials: {number(v)} expected" for at, v in zip(counts, expected, strict=True))
        series.append(Series("expected of as many", "faint", counts, tuple(expected), "line", text))
        if state.default_tail is not None:
            ends = (1.0, float(max(len(values), 2)))
            series.append(Series("the default", "default", ends, (state.default_tail,) * 2))
    every = [value for one in series for value in one.y]
    return Chart(
        "budget",
        "What more trials bring",
        "The expected best of so many of these trials, drawn at random (a failed one counts as the worst that was "
        "healthy), and the best so far in the order of the search. Where both are level, more trials bring little.",
        Axis("trials"),
        Axis(objective(state), log=wide(every)),
        tuple(series),
    )


def objective(state: SweepState) -> str:
    """The objective as an axis names it: what it is measured in, and whether less is better."""
    return f"{state.metric}{measured_in(state.features)} ({'less' if state.known.minimise else 'more'} is better)"
