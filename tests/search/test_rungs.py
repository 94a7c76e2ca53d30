"""Rungs: as Ray's AsyncHyperBandScheduler decides on the last value, and what the tail adds."""

import csv
import math
import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.schema.sweep import RungsSpec
from pipeline.search.rungs import Decision, Point, Rule, milestones, rung_decision

BUDGET = 100

Trace = list[tuple[int, float]]


def ours(history: list[Point], rungs: list[int], reduction: float, minimise: bool) -> bool:
    last = history[-1]
    rule = Rule(rungs, reduction, minimise, use_tail=False)
    return rung_decision(rule, history, last.run, last.images).stop


def interleaved(traces: dict[str, Trace], seed: int) -> Iterator[tuple[str, int, float]]:
    """The evaluations in a random order that keeps each run's own; send(True) stops the run."""
    draw = random.Random(seed)
    waiting = {run: list(trace) for run, trace in traces.items()}
    while waiting:
        run = draw.choice(sorted(waiting))
        images, value = waiting[run].pop(0)
        stopped = yield run, images, value
        if stopped or not waiting[run]:
            del waiting[run]


def against_ray(traces: dict[str, Trace], first: int, reduction: float, minimise: bool, seed: int, last: bool) -> int:
    """Feeds both the same evaluations, holds their decisions against each other; how many runs were stopped."""
    from ray.tune.schedulers import AsyncHyperBandScheduler

    ray = AsyncHyperBandScheduler(
        "images",
        "value",
        "min" if minimise else "max",
        max_t=BUDGET,
        grace_period=first,
        reduction_factor=reduction,
        stop_last_trials=last,
    )
    trials = {run: SimpleNamespace(trial_id=run) for run in traces}
    for trial in trials.values():
        ray.on_trial_add(None, trial)
    count = int(math.log(BUDGET / first) / math.log(reduction) + 1)
    rungs = [math.ceil(first * reduction**k) for k in range(count)]
    history: list[Point] = []
    stops = 0
    events = interleaved(traces, seed)
    event = next(events, None)
    while event is not None:
        run, images, value = event
        history.append(Point(run, images, value))
        theirs = ray.on_trial_result(None, trials[run], {"images": images, "value": value}) == "STOP"
        assert ours(history, rungs, reduction, minimise) == theirs, (event, seed)
        stops += theirs
        try:
            event = events.send(theirs)
        except StopIteration:
            event = None
    return stops


@pytest.fixture(scope="module")
def recorded(data_root: Path) -> dict[str, Trace]:
    """FID at each evaluation, counted from 1, of published training logs."""
    with (data_root / "gan_traces" / "fid.csv").open() as file:
        traces: dict[str, Trace] = {}
        for row in csv.DictReader(file):
            trace = traces.setdefault(row["run"], [])
            if len(trace) < BUDGET - 1:
                trace.append((len(trace) + 1, float(row["fid"])))
    return traces


@pytest.mark.parametrize("reduction", [2, 3, 4])
@pytest.mark.parametrize("minimise", [True, False])
def test_the_last_value_decides_as_ray_does_on_recorded_traces(recorded, reduction, minimise):
    for seed in range(5):
        assert against_ray(recorded, 3, reduction, minimise, seed, last=True) > 0


@pytest.mark.parametrize("reduction", [2, 2.5, 3])
def test_the_last_value_decides_as_ray_does_on_random_traces_with_ties(reduction):
    draw = random.Random(0)
    for seed in range(20):
        traces = {str(run): [(at, float(draw.randint(0, 4))) for at in range(1, BUDGET)] for run in range(12)}
        assert against_ray(traces, 3, reduction, minimise=True, seed=seed, last=True) > 0


def test_an_evaluation_that_passes_several_rungs_decides_at_the_highest_as_ray_does():
    draw = random.Random(1)
    for seed in range(20):
        traces = {}
        for run in range(12):
            at = sorted(draw.sample(range(1, BUDGET), 8))
            traces[str(run)] = [(images, draw.random()) for images in at]
        assert against_ray(traces, 3, 2, minimise=True, seed=seed, last=False) > 0


def points(run: str, *values: float, every: int = 1) -> list[Point]:
    return [Point(run, every * at, value) for at, value in enumerate(values, start=1)]


def decide(history: list[Point], run: str, images: int, excluded=frozenset(), **options) -> Decision:
    return rung_decision(Rule([3, 9], 2, minimise=True, **options), history, run, images, excluded)


def test_a_run_that_was_good_until_its_last_value_is_compared_by_the_median_of_three():
    history = points("a", 10, 10, 10) + points("b", 12, 12, 1) + points("c", 8, 8, 90)
    assert decide(history, "b", 3) == Decision(True, 3, 12, 10)
    assert decide(history, "b", 3, use_tail=False) == Decision(False, 3, 1, 10)
    assert decide(history, "c", 3).stop is False


def test_the_first_to_come_to_a_rung_goes_on():
    assert decide(points("a", 9, 9, 9), "a", 3) == Decision(False, 3, 9, None)


def test_between_rungs_nothing_is_decided():
    history = points("a", 1, 1, 1, 1) + points("b", 9, 9, 9, 9)
    assert decide(history, "b", 2) == decide(history, "b", 4) == Decision(False)


def test_what_is_better_depends_on_the_direction():
    history = points("a", 5, 5, 5) + points("b", 6, 6, 6)
    assert rung_decision(Rule([3], 2, minimise=True), history, "b", 3).stop
    assert not rung_decision(Rule([3], 2, minimise=False), history, "b", 3).stop


def test_a_run_that_was_stopped_for_its_health_is_compared_with_by_nobody():
    history = points("bad", 1, 1, 1) + points("a", 5, 5, 5)
    assert decide(history, "a", 3).stop
    assert decide(history, "a", 3, excluded={"bad"}) == Decision(False, 3, 5, None)


def test_measurements_that_a_resume_repeats_count_nobody_twice():
    history = points("a", 1, 1, 1) + points("b", 5, 5, 5) + points("c", 3, 3, 3)
    repeated = points("a", 1, 1, 1) + points("a", 1, 1, 1) + points("b", 5, 5, 5) + points("c", 3, 3, 3)
    assert decide(history, "c", 3) == decide(repeated, "c", 3) == Decision(False, 3, 3, 3)


def test_an_evaluation_is_decided_as_it_was_when_it_is_asked_about_again_later():
    history = points("a", 5, 5, 5) + points("b", 4, 4, 4)
    later = [*history, *points("c", 1, 1, 1), *points("d", 1, 1, 1)]
    assert decide(later, "b", 3) == decide(history, "b", 3) == Decision(False, 3, 4, 5)


def test_a_value_that_is_not_a_number_loses_and_is_no_mark_for_others():
    history = points("nan", 1, 1, math.nan) + points("a", 5, 5, 5) + points("late", 2, math.nan, 2)
    assert decide(history, "a", 3) == Decision(False, 3, 5, None)
    assert decide(history, "late", 3).stop
    assert math.isnan(decide(history, "late", 3).value)


def test_an_evaluation_that_is_not_in_the_history_is_an_error():
    with pytest.raises(ValueError, match="no evaluation of b at 3 images"):
        decide(points("a", 1, 1, 1), "b", 3)


@pytest.mark.parametrize(
    ("budget", "every", "spec", "expected"),
    [
        (300, 15, RungsSpec(), [45, 135]),
        (405, 15, RungsSpec(), [45, 135]),  # the end is no rung
        (406, 15, RungsSpec(), [45, 135, 405]),
        (300, 15, RungsSpec(first=20), [45, 135]),  # not before the third evaluation
        (300, 15, RungsSpec(first=100), [105]),  # at an evaluation
        (100, 10, RungsSpec(reduction=1.05), [30, 40, 50, 60, 70, 80, 90]),
        (40, 15, RungsSpec(), []),
        (300, 15, RungsSpec(enabled=False), []),
    ],
)
def test_milestones(budget, every, spec, expected):
    assert milestones(budget, every, spec) == expected


def test_who_is_not_surely_worse_goes_on():
    others = points("a", 10, 10, 10)
    mine = [Point("b", at, 12.0, 1.5) for at in (1, 2, 3)]
    assert decide(others + mine, "b", 3).stop
    assert decide(others + mine, "b", 3, errors=1.0).stop
    assert not decide(others + mine, "b", 3, errors=1.5).stop
    wild = [*mine[:2], Point("b", 3, 12.0, 90.0)]
    assert decide(others + wild, "b", 3, errors=1.0).stop  # one evaluation with a great error says no more
