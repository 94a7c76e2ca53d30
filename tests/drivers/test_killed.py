"""The driver without Ray, killed: it goes on as if it had not been, and no run is made twice."""

from pathlib import Path

import pytest

from pipeline.record.events import Line
from pipeline.record.log import read
from tests.drivers.fake_tune import MIXED, FakeTune, ended_twice, ends, killed_at, measured_twice, sweep_file, told


@pytest.mark.slow
@pytest.mark.parametrize("unrecorded", [False, True], ids=["as recorded", "a checkpoint ahead"])
def test_a_sweep_killed_after_any_line_comes_to_what_the_uninterrupted_one_did(
    tmp_path: Path, unrecorded: bool
) -> None:
    file, plan = sweep_file(), {key: MIXED[key] for key in (1, 2, 4)}
    (tmp_path / "whole").mkdir()
    whole = FakeTune(tmp_path / "whole", file, plan).go()
    lines, _ = read(tmp_path / "whole" / "events.jsonl")
    ahead = {(run.trial, run.seed): run.measurements for run in whole.runs} if unrecorded else {}
    for kept in range(len(lines) + 1):
        folder = tmp_path / f"killed-{kept}"
        before, checkpoints = killed_at(lines[:kept], folder, ahead)
        tune = FakeTune(folder, file, plan, checkpoints)
        after = tune.go()
        everything, _ = read(folder / "events.jsonl")
        assert told(after) == told(whole), f"killed after line {kept}"
        finished = {run.trial for run in before.runs if run.end_reason}
        assert finished.isdisjoint(job.trial for job in tune.jobs), f"killed after line {kept}"
        assert (measured_twice(everything), ended_twice(everything)) == ([], []), f"killed after line {kept}"


def test_two_at_a_time_killed_after_any_line_finish_without_a_run_made_twice(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    FakeTune(tmp_path / "whole", plan=MIXED, concurrency=2).go()
    lines, _ = read(tmp_path / "whole" / "events.jsonl")
    for kept in range(0, len(lines), 3):
        folder = tmp_path / f"killed-{kept}"
        before, checkpoints = killed_at(lines[:kept], folder, {})
        tune = FakeTune(folder, plan=MIXED, checkpoints=checkpoints, concurrency=2)
        after = tune.go()
        everything, _ = read(folder / "events.jsonl")
        assert len(after.trials) == 8
        assert None not in ends(after)
        assert {n: t.point for n, t in before.trials.items()} == {n: after.trials[n].point for n in before.trials}
        finished = {run.trial for run in before.runs if run.end_reason}
        assert finished.isdisjoint(job.trial for job in tune.jobs)
        assert (measured_twice(everything), ended_twice(everything)) == ([], [])


def test_a_hook_can_end_the_driver_at_a_line_and_the_sweep_goes_on(tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def kill(line: Line, when: str) -> None:
        if line["event"] == "run_ended" and line["trial"] == 2 and when == "before":
            raise Killed

    tune = FakeTune(tmp_path, hook=kill)
    with pytest.raises(Killed):
        tune.go()
    after = FakeTune(tmp_path, checkpoints=tune.checkpoints).go()
    (tmp_path / "whole").mkdir()
    assert told(after) == told(FakeTune(tmp_path / "whole").go())


def test_a_finished_sweep_is_extended_as_if_it_had_been_longer_from_the_start(tmp_path: Path) -> None:
    for name in ("short", "long"):
        (tmp_path / name).mkdir()
    FakeTune(tmp_path / "short", trials=4).go()
    extended = FakeTune(tmp_path / "short", trials=7)
    assert told(extended.go()) == told(FakeTune(tmp_path / "long", trials=7).go())
    assert {job.trial for job in extended.jobs} == {4, 5, 6}
