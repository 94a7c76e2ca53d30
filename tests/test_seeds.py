"""Trials on several seeds, and promotion of the best to more of them: by the driver without Ray."""

from pathlib import Path

import pytest

from pipeline.picking.finalists import finalists
from pipeline.record.log import read
from pipeline.record.state import SweepState
from pipeline.seeds import run_seed
from tests.drivers.fake_tune import (
    MIXED,
    NOT_FINITE,
    FakeTune,
    Plan,
    ended_twice,
    killed_at,
    measured_twice,
    sweep_file,
)


def test_a_trial_on_several_seeds_is_scored_by_their_median_and_a_failure_is_worse_than_any(tmp_path: Path) -> None:
    """The second seed of trial 1 and two of trial 2 are not finite in the middle."""
    seeds = [run_seed(5, replicate) for replicate in range(3)]
    better = {at: {"metrics": {"fid": 5.0 + 100 / at}} for at in range(100, 501, 100)}
    plan: Plan = {(1, seeds[0]): better, (1, seeds[1]): {300: NOT_FINITE}}
    plan |= {(2, seed): {300: NOT_FINITE} for seed in seeds[1:]}
    file = sweep_file(search={"trials": 4, "seeds": 3, "seed": 5, "startup": 9}, rungs={"enabled": False})
    tune = FakeTune(tmp_path, file, plan, concurrency=2)
    state = tune.go()
    assert [list(trial.runs) for trial in state.trials.values()] == [seeds] * 4
    ends = [trial.end_reason for trial in state.trials.values()]
    assert ends == ["completed", "completed", "non_finite", "completed"]
    assert [round(trial.share, 2) for trial in state.trials.values()] == [1.0, 0.67, 0.33, 1.0]
    first, second, _ = (run.tail("fid") for run in state.trials[1].runs.values())
    assert second is not None
    worse = state.trials[1].runs[seeds[2]].tail("fid")
    assert first < worse  # type: ignore[operator]
    assert state.trials[1].tail("fid") == worse
    told = tune.study().trials
    assert told[1].value == worse
    assert told[2].constraints == {"non_finite": 1.0}
    assert state.ranking()[-1].number == 2
    assert state.ranking()[-2].number == 1  # healthy on two of three


def test_a_trial_that_a_rung_stopped_is_not_run_on_further_seeds(tmp_path: Path) -> None:
    file = sweep_file(search={"trials": 8, "seeds": 2, "seed": 5, "startup": 2})
    tune = FakeTune(tmp_path, file)
    state = tune.go()
    stopped = [trial for trial in state.trials.values() if trial.end_reason == "rung"]
    assert stopped
    assert {trial.state for trial in state.trials.values()} == {"finished"}
    assert any(len(trial.runs) == 1 for trial in stopped)
    assert all(len(trial.runs) == 2 for trial in state.trials.values() if trial.end_reason == "completed")
    again = FakeTune(tmp_path, file)
    again.go()
    assert again.jobs == []  # nothing is left to be done


PROMOTED = {"trials": 8, "seeds": 1, "seed": 5, "startup": 2, "promote": {"seeds": 3, "top": 0.3}}


def test_the_best_get_more_seeds_and_the_sampler_hears_of_them(tmp_path: Path) -> None:
    tune = FakeTune(tmp_path, sweep_file(search=PROMOTED, rungs={"enabled": False}))
    state = tune.go()
    lines, _ = read(tune.record.path)
    promoted = [line["trial"] for line in lines if line["event"] == "promoted"]
    assert len(promoted) == len(set(promoted)) >= 2
    assert {number: len(trial.runs) for number, trial in state.trials.items()} == {
        number: 3 if number in promoted else 1 for number in state.trials
    }
    assert state.best_trial is not None
    assert state.best_trial.number in promoted
    assert len({trial.value for trial in tune.study().trials}) == 8


def test_who_leads_at_the_end_of_20_trials_has_two_seeds_and_so_has_who_led_before(tmp_path: Path) -> None:
    tune = FakeTune(tmp_path, sweep_file(search={"trials": 20, "seed": 5}, rungs={"enabled": False}))
    state = tune.go()
    lines, _ = read(tune.record.path)
    began = [at for at, line in enumerate(lines) if line["event"] == "promoted"]
    assert sum(line["event"] == "run_ended" for line in lines[: began[0]]) == 20
    assert state.best_trial is not None
    assert len(state.best_trial.runs) == 2
    assert sum(len(trial.runs) == 2 for trial in state.trials.values()) == len(began)
    (tmp_path / "fewer").mkdir()
    fewer = FakeTune(tmp_path / "fewer", sweep_file(search={"trials": 19, "seed": 5})).go()
    assert {len(trial.runs) for trial in fewer.trials.values()} == {1}


@pytest.mark.parametrize(
    ("tree", "promoted"),
    [
        ({}, {"seeds": 2, "top": 0.05}),
        ({"search": {"promote": {"seeds": 3}}}, {"seeds": 3, "top": 0.05}),
        ({"search": {"promote": {"top": 0.25}}}, {"seeds": 2, "top": 0.25}),
        ({"search": {"promote": None}}, None),
        ({"search": {"sampler": "random"}}, None),
        ({"search": {"sampler": "random", "promote": {"seeds": 2}}}, {"seeds": 2, "top": 0.05}),
        ({"search": {"seeds": 3}}, None),
        ({"objective": ["fid", "kid"]}, None),
        ({"objective": ["fid", "kid"], "search": {"promote": {"seeds": 3}}}, {"seeds": 3, "top": 0.05}),
    ],
)
def test_who_gets_further_seeds_by_default(tree: dict, promoted: dict | None) -> None:
    found = sweep_file(**tree).sweep.search.promote
    assert (None if found is None else found.model_dump()) == promoted


@pytest.mark.slow
def test_killed_after_any_line_with_seeds_and_promotion_it_comes_to_the_same(tmp_path: Path) -> None:
    search = {**PROMOTED, "trials": 6, "seeds": 2}
    file, plan = sweep_file(search=search), {key: MIXED[key] for key in (1, 2)}
    (tmp_path / "whole").mkdir()
    whole = FakeTune(tmp_path / "whole", file, plan).go()
    lines, _ = read(tmp_path / "whole" / "events.jsonl")
    assert any(line["event"] == "promoted" for line in lines)
    for kept in range(len(lines) + 1):
        folder = tmp_path / f"killed-{kept}"
        _, checkpoints = killed_at(lines[:kept], folder, {})
        after = FakeTune(folder, file, plan, checkpoints).go()
        everything, _ = read(folder / "events.jsonl")
        for name in ("point", "seeds", "end_reason"):
            found = [[getattr(trial, name) for trial in state.trials.values()] for state in (after, whole)]
            assert found[0] == found[1], f"killed after line {kept}: {name}"
        values = [[trial.tail("fid") for trial in state.trials.values()] for state in (after, whole)]
        assert values[0] == values[1], f"killed after line {kept}"
        assert (measured_twice(everything), ended_twice(everything)) == ([], []), f"killed after line {kept}"


def test_promotion_takes_nothing_from_the_best(tmp_path: Path) -> None:
    """Each seed of a trial gives the same here, so that all that more seeds can do is to take time."""
    tune = FakeTune(tmp_path, sweep_file(search=PROMOTED | {"trials": 20}))
    state = tune.go()
    promoted = {line["trial"] for line in read(tune.record.path)[0] if line["event"] == "promoted"}
    assert len(promoted) >= 3
    assert any(trial.end_reason == "rung" for trial in state.trials.values())
    for number in promoted:
        assert (state.trials[number].end_reason, len(state.trials[number].runs)) == ("completed", 3)


def test_a_sweep_that_ends_while_its_best_is_promoted_keeps_it(tmp_path: Path) -> None:
    file = sweep_file(search=PROMOTED, rungs={"enabled": False})
    tune = FakeTune(tmp_path, file)
    best = tune.go().best_trial
    assert best is not None
    lines, _ = read(tune.record.path)
    at = max(at for at, line in enumerate(lines) if line["event"] == "attempt" and line["trial"] == best.number)
    cut = SweepState.fold(lines[: at + 2])  # its last seed has begun
    assert cut.trials[best.number].state == "running"
    assert cut.best_trial is not None
    assert cut.best_trial.number == best.number
    assert finalists(cut, file.space, 1)[0].trial == best.number


def test_trials_that_hold_on_most_seeds_are_confirmed(tmp_path: Path) -> None:
    seeds = [run_seed(5, replicate) for replicate in range(3)]
    plan: Plan = {(number, seeds[1]): {300: NOT_FINITE} for number in range(4)}
    file = sweep_file(search={"trials": 4, "seeds": 3, "seed": 5, "startup": 9}, rungs={"enabled": False})
    state = FakeTune(tmp_path, file, plan).go()
    assert {trial.end_reason for trial in state.trials.values()} == {"completed"}
    assert len(finalists(state, file.space, 2)) >= 2
