"""The driver without Ray: how runs end, and what is retried."""

import math
from pathlib import Path
from typing import Any

import pytest

from pipeline.faults import ATTEMPTS
from pipeline.record.log import read
from pipeline.record.measurement import Measurement
from pipeline.record.state import SweepState
from pipeline.seeds import run_seed
from tests.drivers.fake_tune import (
    BUDGET,
    EVERY,
    MIXED,
    MIXED_ENDS,
    NOT_FINITE,
    TREE,
    FakeTune,
    Plan,
    ends,
    first_runs,
    measured_twice,
    sweep_file,
    told,
)


def test_a_sweep_runs_its_trials_to_their_ends(tmp_path: Path) -> None:
    tune = FakeTune(tmp_path)
    state = tune.go()
    assert set(ends(state)) == {"completed", "rung"}
    assert len(state.trials) == 8
    sources = [trial.source for trial in state.trials.values()]
    assert sources[0] == "known_good"
    assert {"experience", "sampler", "prior"} >= set(sources[1:]) > {"experience"}
    assert state.trials[0].point == {"optimiser.lr_g": 2e-4, "optimiser.beta1": 0.5}
    for run in first_runs(state):
        assert run.seed == run_seed(5, 0)
        expected = range(EVERY, run.images + 1, EVERY)
        assert [m.images for m in run.measurements] == list(expected)
        assert run.images == (BUDGET if run.end_reason == "completed" else 300)
    assert state == SweepState.fold(read(tune.record.path)[0])


def test_a_rung_says_what_it_compared_and_stops_only_the_worse(tmp_path: Path) -> None:
    state = FakeTune(tmp_path).go()
    stopped = [run for run in first_runs(state) if run.end_reason == "rung"]
    assert stopped
    for run in stopped:
        evidence = run.evidence or {}
        assert evidence["milestone"] == 300
        assert evidence["value"] == run.tail("fid")
        assert evidence["value"] > evidence["cutoff"]


@pytest.mark.parametrize(("known_good", "end"), [(TREE["known_good"], "completed"), ([], "rung")])
def test_the_default_is_trained_to_its_end_however_bad_it_is(tmp_path: Path, known_good: list[Any], end: str) -> None:
    plan = {0: {at: {"metrics": {"fid": 42.0}} for at in range(200, 501, 100)} | {100: ("lost", 1)}}
    state = FakeTune(tmp_path, sweep_file(known_good=known_good), plan, concurrency=3).go()
    first, *others = first_runs(state)
    assert first.end_reason == end
    assert "rung" in {run.end_reason for run in others}


def test_without_rungs_every_healthy_run_is_trained_to_its_budget(tmp_path: Path) -> None:
    state = FakeTune(tmp_path, sweep_file(rungs={"enabled": False})).go()
    assert ends(state) == ["completed"] * 8


def test_each_end_is_recorded_with_its_reason_and_evidence(tmp_path: Path) -> None:
    tune = FakeTune(tmp_path, sweep_file(rungs={"enabled": False}), MIXED, trials=6)
    state = tune.go()
    assert ends(state) == MIXED_ENDS
    evidence = [run.evidence or {} for run in first_runs(state)]
    assert evidence[0] == {"images": BUDGET}
    assert (evidence[1]["rule"], evidence[1]["values"]) == ("non_finite", [{"images": 300, "value": 0.0}])
    assert evidence[2] == {"error": "ValueError: bad shape"}
    assert (evidence[4]["rule"], len(evidence[4]["values"])) == ("low_diversity", 3)
    assert evidence[5] == {"attempts": ATTEMPTS["lost"], "last": "node gone"}
    assert tune.driver.exhausted


def test_health_comes_before_the_end_of_the_budget(tmp_path: Path) -> None:
    state = FakeTune(tmp_path, plan={0: {BUDGET: NOT_FINITE}}, trials=1).go()
    assert ends(state) == ["non_finite"]


def test_a_run_that_cannot_go_on_is_not_called_completed_where_its_rule_is_off(tmp_path: Path) -> None:
    file = sweep_file(health={"non_finite": None})
    state = FakeTune(tmp_path, file, {0: {400: NOT_FINITE}}, trials=2).go()
    assert ends(state)[0] == "non_finite"
    assert state.trials[0].runs[run_seed(5, 0)].images == 400
    assert ends(state)[1] in ("completed", "rung")


def test_a_lost_worker_is_a_further_attempt_from_the_checkpoint(tmp_path: Path) -> None:
    tune = FakeTune(tmp_path, plan={0: {200: "lose", 300: "lose late"}}, trials=1)
    tune.plan[0][200] = "lose late"
    state = tune.go()
    lines, _ = read(tune.record.path)
    run = first_runs(state)[0]
    assert (run.end_reason, run.attempt) == ("completed", 2)
    assert [each["attempt"] for each in lines if each["event"] == "attempt"] == [1, 2]
    assert [each["why"] for each in lines if each["event"] == "attempt_ended"] == ["node gone"]
    assert measured_twice(lines) == []


def test_a_worker_lost_again_and_again_ends_the_run(tmp_path: Path) -> None:
    tune = FakeTune(tmp_path, plan={0: {300: "lose"}}, trials=2)
    state = tune.go()
    assert ends(state)[0] == "retries_spent"
    assert [m.images for m in first_runs(state)[0].measurements] == [100, 200]
    assert ends(state)[1] == "completed"
    assert measured_twice(read(tune.record.path)[0]) == []


def test_memory_that_was_short_once_is_tried_again_and_short_twice_is_the_configurations(tmp_path: Path) -> None:
    plan: Plan = {0: {300: ("out_of_memory", 1)}, 1: {200: ("out_of_memory", 9)}}
    tune = FakeTune(tmp_path, sweep_file(rungs={"enabled": False}), plan, trials=3)
    state = tune.go()
    assert ends(state) == ["completed", "out_of_memory", "completed"]
    assert [run.faults for run in first_runs(state)] == [["out_of_memory"], ["out_of_memory"] * 2, []]
    evidence = first_runs(state)[1].evidence or {}
    assert (evidence["reproducible"], evidence["times"]) == (True, 2)
    assert measured_twice(read(tune.record.path)[0]) == []


def test_a_full_disk_stops_the_sweep_without_an_end_and_it_goes_on_when_there_is_room(tmp_path: Path) -> None:
    tune = FakeTune(tmp_path, plan={1: {300: ("disk_full", 1)}})
    state = tune.go()
    assert tune.driver.stopping == "disk_full"
    assert ends(state) == ["completed", None]
    again = FakeTune(tmp_path, checkpoints=tune.checkpoints)
    (tmp_path / "whole").mkdir()
    assert told(again.go()) == told(FakeTune(tmp_path / "whole").go())


def test_what_is_lost_while_the_driver_stops_is_not_counted(tmp_path: Path) -> None:
    tune = FakeTune(tmp_path)
    (job,) = tune.next_runs()
    tune.driver.started(job)
    tune.driver.stopping = "interrupted"
    tune.driver.faulted(job, "lost", {"error": "killed with the terminal"})
    assert tune.driver.state.trials[0].first.faults == []  # type: ignore[union-attr]
    assert tune.driver.exhausted


def test_what_a_checkpoint_had_to_say_is_in_the_record_and_for_the_watcher(tmp_path: Path) -> None:
    tune = FakeTune(tmp_path)
    (job,) = tune.next_runs()
    tune.driver.started(job)
    tune.driver.measured(job, Measurement(100, {"fid": 9.0}, {"finite": 1.0}, 1.0, notices=("damaged; went back",)))
    (notice,) = [line for line in read(tune.record.path)[0] if line["event"] == "notice"]
    assert (notice["trial"], notice["text"]) == (0, "damaged; went back")
    assert tune.follower.notices() == ["trial 0: damaged; went back"]


def test_a_combination_that_cannot_be_built_is_invalid_and_the_next_trial_goes_on(tmp_path: Path) -> None:
    # both ends can be packed by 4, which is all that is looked at before a sweep; 62 and 66 cannot
    space = {"batch_size": {"steps": [60, 68, 2]}, "game": {"packing": 4}}
    tune = FakeTune(tmp_path, sweep_file(**space, known_good=[], rungs={"enabled": False}), trials=12)
    state = tune.go()
    by_reason: dict[str, list[dict[str, Any]]] = {"invalid": [], "completed": []}
    for trial in state.trials.values():
        by_reason[str(trial.end_reason)].append(trial.point)
    assert len(by_reason["invalid"]) >= 1
    assert len(by_reason["completed"]) >= 1
    for trial in state.trials.values():
        wrong = trial.point["batch_size"] % 4 != 0
        assert wrong == (trial.end_reason == "invalid")
        if wrong:
            assert "packing" in (trial.first.evidence or {})["error"]  # type: ignore[union-attr]
            assert trial.number not in {job.trial for job in tune.jobs}
    again = FakeTune(tmp_path, tune.file, trials=12)
    assert again.go() == SweepState.fold(read(again.record.path)[0])
    assert again.jobs == []


@pytest.mark.parametrize("concurrency", [1, 2, 5])
def test_no_more_runs_at_a_time_than_allowed(tmp_path: Path, concurrency: int) -> None:
    tune = FakeTune(tmp_path, plan={2: {200: "lose late"}}, concurrency=concurrency)
    state = tune.go()
    assert tune.at_once == concurrency
    assert [job.trial for job in tune.jobs].count(2) == 2  # the lost one is handed out again
    assert len(tune.jobs) == len(state.trials) + 1 == 9
    assert measured_twice(read(tune.record.path)[0]) == []


def test_nothing_is_started_once_it_is_stopping(tmp_path: Path) -> None:
    tune = FakeTune(tmp_path)
    tune.go(steps=7)
    tune.driver.stopping = "interrupted"
    assert tune.driver.next_job() is None
    assert tune.driver.exhausted


def test_the_second_seed_proposes_other_trials(tmp_path: Path) -> None:
    points = []
    for seed in (1, 2):
        (tmp_path / str(seed)).mkdir()
        state = FakeTune(tmp_path / str(seed), sweep_file(search={"trials": 3, "seed": seed})).go()
        points.append([trial.point for trial in state.trials.values()][1:])
    assert points[0] != points[1]


def test_values_that_are_not_finite_reach_the_record_as_they_are(tmp_path: Path) -> None:
    plan = {0: {200: {"metrics": {"fid": math.nan}}}}
    state = FakeTune(tmp_path, plan=plan, trials=1).go()
    assert ends(state) == ["non_finite"]
    found = read(tmp_path / "events.jsonl")[0]
    last = [line for line in found if line["event"] == "measurement"][-1]
    assert math.isnan(last["metrics"]["fid"])
