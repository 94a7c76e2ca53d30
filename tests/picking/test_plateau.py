"""The winner's neighbours over a record: paired, resumable, in no ranking, and what is said of them."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from pipeline.drivers.job import Attempt
from pipeline.errors import InputError
from pipeline.picking.intervals import estimates
from pipeline.picking.neighbours import Perturbation
from pipeline.picking.outcomes import within_noise
from pipeline.picking.plateau import Plateau, plateau
from pipeline.picking.standing import FRESH
from pipeline.picking.verdict import verdict
from pipeline.record.log import read
from pipeline.record.state import NEIGHBOURS, SweepState
from pipeline.report.best_yaml import best_yaml
from pipeline.report.verdict import robustness
from pipeline.seeds import derive, run_seed
from tests.drivers.fake_tune import FakeTune
from tests.picking.fake_race import FILE, FakeRace, noisy, searched


def fragile(job: Attempt) -> float | None:
    """The winner's rate is 2e-4; far above it the run collapses, far below it is much worse."""
    rate = job.spec["optimiser"]["lr_g"]
    if job.trial >= NEIGHBOURS and rate > 5e-4:
        return None
    noise = derive(job.seed, job.trial) % 97 / 40
    return 20.0 + (30.0 if job.trial >= NEIGHBOURS and rate < 1.2e-4 else 0.0) + noise


def first_wins(job: Attempt) -> float | None:
    return 20.0 + job.seed % 97 / 40 + (0 if job.trial == 0 else 20)


def picked(folder: Path) -> SweepState:
    searched(folder)
    return FakeRace(folder, first_wins).go()


def perturbed(folder: Path, factor: float = 1.5, concurrency: int = 1) -> FakeRace:
    """The race, which is over where picked() was called before, and the neighbours of its winner."""

    def score(job: Attempt) -> float | None:
        return fragile(job) if job.trial >= NEIGHBOURS else first_wins(job)

    return FakeRace(folder, score, concurrency=concurrency, perturb=Perturbation(factor))


def found(state: SweepState) -> Plateau:
    around = plateau(state)
    assert around is not None
    return around


def test_neighbours_are_run_on_the_winners_own_seeds_and_are_in_no_ranking(tmp_path: Path) -> None:
    before = picked(tmp_path)
    going = perturbed(tmp_path)
    state = going.go()
    assert {job.trial for job in going.jobs} == {NEIGHBOURS + at for at in range(4)}
    assert {job.seed for job in going.jobs} == {run_seed(5, FRESH + replicate) for replicate in range(3)}
    assert len(going.jobs) == 12
    assert {run.images for run in state.perturbed} == {500}
    assert state.trials.keys() == before.trials.keys()
    assert [trial.number for trial in state.ranking()] == [trial.number for trial in before.ranking()]
    assert (state.runs, state.confirmations) == (before.runs, before.confirmations)
    assert verdict(state) == verdict(before)
    assert state == SweepState.fold(read(going.record.path)[0])


def test_the_search_goes_on_as_if_nothing_had_been_perturbed(tmp_path: Path) -> None:
    picked(tmp_path / "moved")
    perturbed(tmp_path / "moved").go()
    extended = FakeTune(tmp_path / "moved", FILE, trials=10).go()
    (tmp_path / "whole").mkdir()
    whole = FakeTune(tmp_path / "whole", FILE, trials=10).go()
    assert [trial.point for trial in extended.trials.values()] == [trial.point for trial in whole.trials.values()]


def test_it_says_what_holds_what_is_worse_and_what_breaks(tmp_path: Path) -> None:
    picked(tmp_path)
    for factor in (1.5, 2.0, 3.0):
        state = perturbed(tmp_path, factor).go()
    around = found(state)
    rates = {row.value: row for row in around.rows if row.parameter == "optimiser.lr_g"}
    assert [row.found for row in rates.values()] == ["worse", "worse", "holds", "holds", "holds", "breaks"]
    assert list(rates) == sorted(rates)
    reach = around.reaches[0]
    assert (reach.low, reach.high) == pytest.approx((2e-4 / 1.5, 4e-4))
    assert (reach.breaks_below, reach.breaks_above) == pytest.approx((1e-4, 6e-4))
    worse = rates[reach.breaks_below].difference  # type: ignore[index]
    assert worse is not None
    assert worse.better == pytest.approx(-30, rel=0.1)
    assert worse.interval[0] < worse.better < worse.interval[1] < 0  # type: ignore[index]
    broken = rates[reach.breaks_above]  # type: ignore[index]
    assert (broken.healthy, broken.ends, broken.difference) == (0, {"collapsed": 3}, None)
    assert around.left == ({"parameter": "optimiser.beta1", "was": 0.5, "why": around.left[0]["why"]},)
    words = "\n".join(robustness(around))
    assert "optimiser.lr_g 0.0002: holds from 0.000133 to 0.0004; at 0.0001 it is worse (29.1 worse, 95%" in words
    assert "at 0.0006 it breaks (0 of 3 seeds healthy: 3 collapsed)" in words
    assert "not moved: optimiser.beta1 0.5: not allowed: found -0.5" in words
    text = best_yaml(state)
    assert text is not None
    assert "# plateau: " in text
    assert json.loads(json.dumps(around.document()))["of"] == 0


def test_killed_after_any_line_no_run_is_made_twice_and_it_comes_to_the_same(tmp_path: Path) -> None:
    searched(tmp_path / "whole")
    whole = found(perturbed(tmp_path / "whole").go())
    lines, _ = read(tmp_path / "whole" / "events.jsonl")
    begun = next(line["n"] for line in lines if line["event"] == "neighbour")
    for kept in [begun - 40, *range(begun - 2, begun + 8), *range(begun + 9, len(lines) + 1, 11)]:
        folder = tmp_path / f"killed-{kept}"
        folder.mkdir()
        (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines[:kept]))
        ended = {(run.trial, run.seed) for run in SweepState.fold(lines[:kept]).perturbed if run.end_reason}
        again = perturbed(folder, concurrency=2)
        assert found(again.go()) == whole, f"killed after line {kept}"
        assert ended.isdisjoint((job.trial, job.seed) for job in again.jobs)
    third = perturbed(tmp_path / "whole")
    third.go()
    assert third.jobs == []


def test_a_pick_with_another_winner_has_no_plateau_yet(tmp_path: Path) -> None:
    picked(tmp_path)
    state = perturbed(tmp_path).go()
    assert plateau(state) is not None

    def first_fails(job: Attempt) -> float | None:
        return None if job.trial == 0 else noisy(job)

    after = FakeRace(tmp_path, first_fails, seeds=12).go()
    assert verdict(after).best.trial != 0
    assert plateau(after) is None


@pytest.mark.parametrize("factor", [1.0, 0.5, -2.0, float("inf"), float("nan")])
def test_a_factor_not_above_1_is_refused(factor: float) -> None:
    with pytest.raises(InputError, match=rf"^--perturb: found {factor:g}; valid: a factor above 1, such as 1.5$"):
        Perturbation(factor).check()


def test_few_seeds_raise_few_false_alarms_and_see_what_doubles() -> None:
    """Ten moves on three seeds, the log scores' noise 0.15: one doubles the distance, nine do nothing."""
    random, false, seen, times = np.random.default_rng(0), 0, 0, 200
    for _ in range(times):
        winner = random.normal(0, 0.15, 3)
        shifts = [math.log(2), *[0.0] * 9]
        found = [
            not within_noise(each) for each in estimates([list(random.normal(s, 0.15, 3) - winner) for s in shifts])
        ]
        seen += found[0]
        false += sum(found[1:])
    assert false / times / 9 < 0.05
    assert seen / times > 0.95
