"""A pick over a record: fresh seeds, nothing of the search touched, and killed anywhere it comes to the same."""

import json
from pathlib import Path

import pytest

from pipeline.drivers.job import Attempt
from pipeline.errors import GansweepError, InputError, NoHealthyTrial
from pipeline.picking.finalists import finalists, no_healthy
from pipeline.picking.standing import FRESH
from pipeline.picking.verdict import Verdict, standing, verdict
from pipeline.record.log import read
from pipeline.record.state import SweepState
from pipeline.seeds import run_seed
from tests.drivers.fake_tune import FakeTune, sweep_file
from tests.picking.fake_race import FILE, FakeRace, noisy, searched

RANDOM = {"trials": 8, "startup": 8, "seed": 5, "sampler": "random"}


def said(found: Verdict) -> list[tuple[object, ...]]:
    return [(row.trial, row.healthy, row.seeds, row.score, row.interval, row.probability_best) for row in found.rows]


def test_finalists_are_run_on_fresh_seeds_to_the_full_budget(tmp_path: Path) -> None:
    before = searched(tmp_path)
    race = FakeRace(tmp_path)
    state = race.go()
    assert {run.end_reason for run in state.confirmations} == {"completed"}
    assert {run.images for run in state.confirmations} == {500}
    fresh = {run_seed(5, FRESH + replicate) for replicate in range(5)}
    assert {run.seed for run in state.confirmations} == fresh
    assert fresh.isdisjoint({run.seed for run in state.runs})
    assert all(job.replicate is not None and job.folder.endswith(f"seed-{job.seed}") for job in race.jobs)
    assert state == SweepState.fold(read(race.record.path)[0])
    assert state.runs == before.runs


def test_the_search_does_not_see_the_pick(tmp_path: Path) -> None:
    before = searched(tmp_path)
    after = FakeRace(tmp_path, lambda job: 1.0).go()
    assert [trial.number for trial in after.ranking()] == [trial.number for trial in before.ranking()]
    assert after.best_trial.tail("fid") == before.best_trial.tail("fid")  # type: ignore[union-attr]
    extended = FakeTune(tmp_path, FILE, trials=10).go()
    (tmp_path / "other").mkdir()
    whole = FakeTune(tmp_path / "other", FILE, trials=10).go()
    assert [trial.point for trial in extended.trials.values()] == [trial.point for trial in whole.trials.values()]
    assert extended.searching == "started"
    assert extended.picking is not None


@pytest.mark.parametrize("concurrency", [1, 3])
def test_killed_after_any_line_no_seed_is_run_twice_and_the_ranking_is_the_same(
    tmp_path: Path, concurrency: int
) -> None:
    searched(tmp_path / "whole")
    begun = len(read(tmp_path / "whole" / "events.jsonl")[0])
    whole = verdict(FakeRace(tmp_path / "whole").go())
    lines, _ = read(tmp_path / "whole" / "events.jsonl")
    for kept in range(begun, len(lines) + 1, 7):
        folder = tmp_path / f"killed-{kept}"
        folder.mkdir()
        (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines[:kept]))
        before = SweepState.fold(lines[:kept])
        race = FakeRace(folder, concurrency=concurrency)
        after = race.go()
        assert said(verdict(after)) == said(whole), f"killed after line {kept}"
        ended = {(run.trial, run.seed) for run in before.confirmations if run.end_reason}
        assert ended.isdisjoint((job.trial, job.seed) for job in race.jobs)
        ends = [
            (each["trial"], each["seed"]) for each in read(folder / "events.jsonl")[0] if each["event"] == "run_ended"
        ]
        assert len(ends) == len(set(ends))


def test_the_default_is_run_on_the_winner_s_seeds_but_where_an_older_record_s_pick_goes_on(tmp_path: Path) -> None:
    def far(job: Attempt) -> float:
        return (60 if job.trial == 0 else 20 + job.trial / 9) + job.seed % 97 / 40

    searched(tmp_path / "new")
    found = verdict(FakeRace(tmp_path / "new", far).go())
    lines, _ = read(tmp_path / "new" / "events.jsonl")
    began = next(at for at, line in enumerate(lines) if line["event"] == "pick")
    older = tmp_path / "older"
    older.mkdir()
    lines[began] = {name: value for name, value in lines[began].items() if name != "against"}
    (older / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines[: began + 1]))
    then = verdict(FakeRace(older, far).go())
    assert [line["event"] for line in read(older / "events.jsonl")[0]].count("pick") == 1
    default, was = (next(row for row in each.rows if row.trial == 0) for each in (found, then))
    assert not default.racing
    assert (default.seeds, was.seeds) == (5, 3)
    assert found.best.versus_default is not None
    assert found.best.versus_default.seeds == found.best.seeds == 5


def test_a_lucky_winner_of_the_search_is_not_recommended(tmp_path: Path) -> None:
    best = searched(tmp_path).best_trial
    assert best is not None
    lucky_seeds = {run_seed(5, FRESH + 1)}

    def lucky(job: Attempt) -> float | None:
        if job.trial != best.number:
            return noisy(job)
        return 5.0 if job.seed in lucky_seeds else None

    found = verdict(FakeRace(tmp_path, lucky).go())
    assert found.searched_best == best.number
    assert found.best.trial != best.number
    row = next(row for row in found.rows if row.trial == best.number)
    assert (row.healthy, row.racing) == (1, False)
    assert "collapsed" in row.ends.values()


def test_more_seeds_later_make_only_what_is_missing(tmp_path: Path) -> None:
    searched(tmp_path)
    FakeRace(tmp_path, seeds=3).go()
    more = FakeRace(tmp_path, seeds=5)
    state = more.go()
    assert {job.replicate for job in more.jobs} <= {FRESH + 3, FRESH + 4}
    assert verdict(state).seeds == 5
    fewer = FakeRace(tmp_path, seeds=3)
    assert verdict(fewer.go()).rows[0].seeds == 3
    assert fewer.jobs == []


def test_the_verdict_counts_and_compares(tmp_path: Path) -> None:
    searched(tmp_path)
    found = verdict(FakeRace(tmp_path, seeds=6).go())
    assert found.complete
    assert found.runs == sum(row.seeds for row in found.rows) <= found.full_grid
    assert sum(row.probability_best for row in found.rows) == pytest.approx(1)
    best = found.best
    assert best.interval[0] < best.score < best.interval[1]  # type: ignore[index,operator]
    assert best.prediction[0] < best.confirmed < best.prediction[1]  # type: ignore[index,operator]
    assert best.score == pytest.approx(best.confirmed + 1, rel=1e-3)  # type: ignore[operator]
    for row in found.rows[1:]:
        difference = row.versus_best
        assert difference is not None
        assert difference.better == pytest.approx(best.score - row.score, rel=0.3, abs=1.0)  # type: ignore[operator]
    assert json.loads(json.dumps(found.document()))["best"] == best.trial


def test_finalists_are_the_best_and_always_the_default(tmp_path: Path) -> None:
    state = searched(tmp_path)
    chosen = finalists(state, FILE.space, 2)
    ranked = [trial.number for trial in state.ranking()]
    assert [each.trial for each in chosen[:2]] == ranked[:2]
    assert any(each.trial == 0 and "default" in each.why for each in chosen)
    with pytest.raises(InputError, match="valid: at most that many"):
        finalists(state, FILE.space, 9)


def test_the_best_of_each_region_is_a_finalist(tmp_path: Path) -> None:
    from tests.drivers.fake_tune import TREE, sweep_file

    regularisers = {"choice": {"none": {}, "r1": {"r1": {"weight": {"log": [0.1, 10]}}}}}
    known = [{**TREE["known_good"][0], "regularisers": "none"}]
    file = sweep_file(rungs={"enabled": False}, regularisers=regularisers, known_good=known)
    state = FakeTune(tmp_path, file).go()
    chosen = finalists(state, file.space, 1)
    regions = {state.trials[each.trial].point["regularisers"] for each in chosen}
    assert regions == {trial.point["regularisers"] for trial in state.trials.values()} == {"none", "r1"}


def test_without_a_healthy_trial_it_says_what_failed_most_and_which_range_to_shrink(tmp_path: Path) -> None:
    sick = {"signals": {"diversity_ratio": 0.1}}
    (tmp_path / "alike").mkdir()
    plan = {number: dict.fromkeys(range(100, 501, 100), sick) for number in range(8)}
    file = sweep_file(rungs={"enabled": False}, search=RANDOM)
    alike = FakeTune(tmp_path / "alike", file, plan).go()  # type: ignore[arg-type]
    with pytest.raises(NoHealthyTrial, match=r"none of its 8 trials was healthy; most runs ended as collapsed \(8\)$"):
        finalists(alike, FILE.space, 3)
    rates = sorted((trial.point["optimiser.lr_g"], number) for number, trial in alike.trials.items())
    crash = {number: {500 - 100 * (place // 2): "raise X"} for place, (_, number) in enumerate(rates)}
    (tmp_path / "rates").mkdir()
    found = FakeTune(tmp_path / "rates", file, crash).go()
    with pytest.raises(
        NoHealthyTrial, match=r"most runs ended as crashed \(8\); shrink the range of optimiser.lr_g from above"
    ):
        finalists(found, FILE.space, 3)


def test_a_sweep_whose_time_was_too_short_for_one_run_says_so(tmp_path: Path) -> None:
    tune = FakeTune(tmp_path)
    tune.go(steps=2)
    tune.record.append("driver", session="s", state="finished", why="max_time")
    said = "none of its 1 runs came to an end in --max-time; go on with: gansweep resume "
    assert said in no_healthy(tune.driver.state)


def test_where_no_fresh_seed_holds_it_says_so(tmp_path: Path) -> None:
    searched(tmp_path)
    race = FakeRace(tmp_path, lambda job: None, seeds=3)
    assert standing(race.driver.state) is None
    with pytest.raises(GansweepError, match="nothing is confirmed yet"):
        verdict(race.driver.state)
    with pytest.raises(NoHealthyTrial, match="most ended as collapsed"):
        verdict(race.go())
