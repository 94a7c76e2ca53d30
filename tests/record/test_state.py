"""The state of a sweep: folded from lines, with nothing counted twice and nothing that is not finite hidden."""

import itertools
import math
import random
from typing import Any

import pytest

from pipeline.record.events import Line
from pipeline.record.runs import END_REASONS, HEALTH_REASONS, tail
from pipeline.record.state import SweepState
from pipeline.record.trials import params

SEED = 7


class Lines:
    """Lines as a record has them, a second apart."""

    def __init__(self, objective: str = "fid") -> None:
        self.lines: list[Line] = []
        self.add(
            "sweep", name="s", source="preset digits", space={}, spec={"objective": objective}, seed=3, versions={}
        )

    def add(self, event: str, **fields: Any) -> None:
        self.lines.append({"v": 1, "n": len(self.lines), "time": 100.0 + len(self.lines), "event": event, **fields})

    def trial(self, number: int, source: str = "sampler") -> None:
        self.add("trial", trial=number, point={"lr": number}, spec={"budget": {"images": 1000}}, source=source)

    def attempt(self, trial: int, seed: int = SEED, attempt: int = 1) -> None:
        self.add("attempt", trial=trial, seed=seed, attempt=attempt)

    def measurement(self, trial: int, images: int, value: float, seed: int = SEED, attempt: int = 1) -> None:
        key = {"trial": trial, "seed": seed, "attempt": attempt}
        self.add("measurement", **key, images=images, metrics={"fid": value}, signals={}, seconds=images / 100)

    def run(self, trial: int, values: list[float], reason: str | None = "completed", seed: int = SEED) -> None:
        self.attempt(trial, seed)
        for at, value in enumerate(values, 1):
            self.measurement(trial, at * 100, value, seed)
        if reason:
            self.add("run_ended", trial=trial, seed=seed, attempt=1, reason=reason, evidence={"why": reason})

    @property
    def state(self) -> SweepState:
        return SweepState.fold(self.lines)


@pytest.fixture
def lines() -> Lines:
    return Lines()


def test_folding_line_by_line_is_folding_at_once(lines: Lines) -> None:
    for number in range(3):
        lines.trial(number)
        lines.run(number, [3.0, 2.0, 1.0], None if number == 2 else "completed")
    gradual = SweepState()
    for line in lines.lines:
        gradual.apply(line)
    assert gradual == lines.state
    assert (gradual.name, gradual.seed, gradual.metric, gradual.lines) == ("s", 3, "fid", len(lines.lines))


def test_a_run_from_its_first_line_to_its_last(lines: Lines) -> None:
    lines.trial(0)
    assert lines.state.trials[0].state == "waiting"
    lines.run(0, [5.0, 2.0, 4.0, 3.0], None)
    trial = lines.state.trials[0]
    run = trial.runs[SEED]
    assert (trial.state, trial.end_reason, run.state, run.images, run.seconds) == ("running", None, "running", 400, 4.0)
    assert (run.best("fid"), run.final("fid"), run.tail("fid")) == ((200, 2.0), 3.0, 3.0)
    lines.add("run_ended", trial=0, seed=SEED, attempt=1, reason="collapsed", evidence={"rule": "low"})
    run = lines.state.trials[0].runs[SEED]
    assert (run.state, run.end_reason, run.evidence, run.healthy) == ("finished", "collapsed", {"rule": "low"}, False)
    assert run.ended == lines.lines[-1]["time"]


def test_a_measurement_that_a_retry_yields_again_counts_once(lines: Lines) -> None:
    lines.trial(0)
    lines.run(0, [5.0, 4.0], None)
    lines.add("attempt_ended", trial=0, seed=SEED, attempt=1, why="worker lost")
    lines.attempt(0, attempt=2)
    lines.measurement(0, 200, 4.0, attempt=2)
    lines.measurement(0, 300, 3.0, attempt=2)
    run = lines.state.trials[0].runs[SEED]
    assert [(m.images, m.metrics["fid"]) for m in run.measurements] == [(100, 5.0), (200, 4.0), (300, 3.0)]
    assert run.attempt == 2


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], None), ([4.0], 4.0), ([4.0, 2.0], 3.0), ([9.0, 1.0, 5.0, 3.0], 3.0), ([math.inf, 1.0, 2.0], 2.0)],
)
def test_the_tail_is_the_median_of_the_last_three(values: list[float], expected: float | None) -> None:
    assert tail(values) == expected


def test_a_nan_in_the_last_three_is_not_hidden_wherever_it_stands() -> None:
    for values in itertools.permutations([1.0, 2.0, math.nan]):
        assert math.isnan(tail([5.0, *values]))  # type: ignore[arg-type]
    assert tail([math.nan, 1.0, 2.0, 3.0]) == 2.0


def test_the_best_is_found_among_the_finite_values_wherever_a_nan_stands(lines: Lines) -> None:
    for number, values in enumerate(itertools.permutations([4.0, 2.0, math.nan])):
        lines.trial(number)
        lines.run(number, list(values))
    for trial in lines.state.trials.values():
        assert trial.runs[SEED].best("fid")[1] == 2.0  # type: ignore[index]


def test_a_run_that_was_never_finite_has_a_best_that_says_so(lines: Lines) -> None:
    lines.trial(0)
    lines.run(0, [math.nan, math.nan])
    best = lines.state.trials[0].runs[SEED].best("fid")
    assert best is not None
    assert math.isnan(best[1])


def test_the_best_of_a_metric_where_more_is_better() -> None:
    lines = Lines("coverage")
    lines.trial(0)
    lines.attempt(0)
    for images, value in ((100, 0.2), (200, 0.6), (300, 0.4)):
        key = {"trial": 0, "seed": SEED, "attempt": 1}
        lines.add("measurement", **key, images=images, metrics={"coverage": value}, signals={}, seconds=1.0)
    assert lines.state.trials[0].runs[SEED].best("coverage") == (200, 0.6)


def test_a_metric_that_is_missing_at_the_last_evaluation_leaves_the_earlier_ones(lines: Lines) -> None:
    lines.trial(0)
    lines.run(0, [5.0, 4.0], None)
    key = {"trial": 0, "seed": SEED, "attempt": 1}
    lines.add("measurement", **key, images=260, metrics={}, signals={"finite": 0.0}, seconds=3.0)
    run = lines.state.trials[0].runs[SEED]
    assert (run.images, run.final("fid"), run.tail("fid"), run.best("precision")) == (260, 4.0, 4.5, None)


def test_the_ranking_puts_whole_results_first_and_unhealthy_ones_last(lines: Lines) -> None:
    ends = [("completed", 9.0), ("collapsed", 1.0), ("rung", 2.0), (None, 3.0), ("completed", 8.0), ("crashed", 0.5)]
    for number, (reason, value) in enumerate(ends):
        lines.trial(number)
        lines.run(number, [value], reason)
    lines.trial(6)  # waits
    lines.trial(7)
    lines.run(7, [], "invalid")  # has no value
    state = lines.state
    assert [trial.number for trial in state.ranking()] == [4, 0, 2, 3, 5, 1]
    assert state.best_trial is not None
    assert state.best_trial.number == 4


def test_the_ranking_does_not_depend_on_where_a_nan_stands(lines: Lines) -> None:
    values = [3.0, math.nan, 1.0, math.nan, 2.0]
    order = list(range(len(values)))
    for shuffle in range(10):
        random.Random(shuffle).shuffle(order)
        fresh = Lines()
        for number in order:
            fresh.trial(number)
            fresh.run(number, [values[number]])
        assert [trial.number for trial in fresh.state.ranking()] == [2, 4, 0, 1, 3]


def test_a_trial_whose_tail_is_not_a_number_is_not_the_best(lines: Lines) -> None:
    lines.trial(0)
    lines.run(0, [math.nan] * 3)
    assert lines.state.best_trial is None


def test_a_ranking_where_more_is_better() -> None:
    lines = Lines("coverage")
    for number, value in enumerate((0.1, 0.9, 0.5)):
        lines.trial(number)
        lines.attempt(number)
        key = {"trial": number, "seed": SEED, "attempt": 1}
        lines.add("measurement", **key, images=1, metrics={"coverage": value}, signals={}, seconds=1.0)
        lines.add("run_ended", **key, reason="completed", evidence={})
    assert [trial.number for trial in lines.state.ranking()] == [1, 2, 0]


def test_a_trial_of_several_runs_is_what_its_runs_say(lines: Lines) -> None:
    lines.trial(0)
    for seed, value in ((1, 2.0), (2, 10.0), (3, 4.0)):
        lines.run(0, [value], seed=seed)
    trial = lines.state.trials[0]
    assert (trial.tail("fid"), trial.state, trial.end_reason) == (4.0, "finished", "completed")
    lines.run(0, [6.0], None, seed=4)
    after = lines.state.trials[0]  # one that was promoted is what it was while a further seed is under way
    assert (after.state, after.end_reason, after.tail("fid")) == ("running", "completed", 4.0)
    assert lines.state.best_trial is not None


@pytest.mark.parametrize("reason", [reason for reason in END_REASONS if reason not in ("completed", "rung")])
def test_a_trial_fails_where_half_of_its_seeds_do_and_its_share_says_how_many(lines: Lines, reason: str) -> None:
    lines.trial(0)
    for seed, end in ((1, "completed"), (2, reason), (3, "completed")):
        lines.run(0, [2.0], end, seed=seed)
    trial = lines.state.trials[0]
    assert (trial.end_reason, round(trial.share, 2)) == ("completed", 0.67)
    assert lines.state.best_trial is not None
    lines.run(0, [2.0], reason, seed=4)
    assert lines.state.trials[0].end_reason == reason
    assert lines.state.best_trial is None


def test_the_end_reasons_are_the_designs() -> None:
    assert HEALTH_REASONS == ("non_finite", "degenerate", "collapsed", "memorised", "discriminator_won", "diverged")
    others = {"completed", "rung", "out_of_memory", "invalid", "crashed", "retries_spent"}
    assert set(END_REASONS) == {*HEALTH_REASONS, *others}


def test_the_default_is_compared_with_once_it_is_completed(lines: Lines) -> None:
    lines.trial(0, "known_good")
    lines.run(0, [4.0], None)
    assert lines.state.default_tail is None
    lines.add("run_ended", trial=0, seed=SEED, attempt=1, reason="completed", evidence={})
    assert lines.state.default_tail == 4.0


def test_a_first_trial_that_the_sampler_proposed_is_no_default(lines: Lines) -> None:
    lines.trial(0)
    lines.run(0, [4.0])
    assert lines.state.default_tail is None


def test_the_floor_is_that_of_the_objective(lines: Lines) -> None:
    assert (lines.state.floor, lines.state.floor_spread) == (None, None)
    lines.add("prepared", data={}, floor={"fid": 2.5, "kid": 9.0}, floor_spread={"fid": 0.5})
    assert (lines.state.floor, lines.state.floor_spread) == (2.5, 0.5)


def test_time_counts_while_a_driver_is_at_work(lines: Lines) -> None:
    lines.add("driver", session="a", state="started")
    lines.trial(0)
    lines.attempt(0)  # two seconds on; then nobody for an hour
    lines.lines.append({"v": 1, "n": 4, "time": 3700.0, "event": "driver", "session": "b", "state": "started"})
    lines.lines.append({"v": 1, "n": 5, "time": 3705.0, "event": "driver", "session": "b", "state": "finished"})
    assert lines.state.seconds == 7.0
    assert lines.state.searching == "finished"


def test_params_lose_the_branches_in_their_names() -> None:
    point = {"optimiser.lr_g": 1e-3, "regularisers": "r1", "regularisers[r1].r1.lazy[yes]": 4}
    assert params(point) == {"optimiser.lr_g": 1e-3, "regularisers": "r1", "regularisers.r1.lazy": 4}


def test_who_starts_ends_what_another_kind_of_driver_left_at_work(lines: Lines) -> None:
    lines.add("driver", session="a", state="started", doing="search")
    lines.add("driver", session="b", state="started", doing="pick")
    assert (lines.state.searching, lines.state.picking) == ("interrupted", "started")
    lines.add("driver", session="c", state="started", doing="search")
    assert (lines.state.searching, lines.state.picking) == ("started", "interrupted")
