"""Several objectives: what a trial is worth by each, who is on the front, and that the sampler hears of all of them."""

import itertools
import json
import math
import random
from pathlib import Path

import pytest

from pipeline.drivers.job import Attempt
from pipeline.errors import InputError
from pipeline.picking.finalists import finalists
from pipeline.picking.verdict import verdict
from pipeline.record.front import best_trials, front, objectives, of_trial, words
from pipeline.record.log import read
from pipeline.report.markdown import leaderboard
from pipeline.report.status import status_document
from pipeline.search.sampler import Sampler
from pipeline.space.load import from_tree
from tests.drivers.fake_tune import BUDGET, TREE, FakeTune, Plan, sweep_file
from tests.picking.fake_race import FakeRace

SEVERAL = {"objective": ["fid", {"images_to_reach": {"metric": "fid", "value": 30}}, "recall"]}


def file(**changes: object) -> object:
    search = {"trials": 6, "startup": 3, "seed": 5}
    return from_tree({**TREE, **SEVERAL, "search": search, **changes}, "test.yaml")


def curve(last: float, recall: float) -> dict[int, object]:
    """FID falls to `last` at 300 images and stays there; recall is the same all along."""
    fids = {100: last + 40, 200: last + 20, 300: last, 400: last, 500: last}
    return {images: {"metrics": {"fid": fid, "recall": recall}} for images, fid in fids.items()}


# Trial 1 is beaten by trial 2 in all; 3 does not come to an FID of 30; 4 collapses to a value that is not finite.
PLAN: Plan = {
    0: curve(20.0, 0.3),
    1: curve(28.0, 0.2),
    2: curve(9.0, 0.25),
    3: curve(50.0, 0.9),
    4: {200: {"metrics": {}, "signals": {"finite": 0.0}}},
    5: curve(25.0, 0.5),
}


def test_the_front_is_whom_no_other_beats_in_all() -> None:
    chance = random.Random(1)
    points = {at: tuple(chance.randint(0, 4) for _ in range(3)) for at in range(40)}
    points = {at: tuple(map(float, point)) for at, point in points.items()}
    found = set(front(points, [True, False, True]))

    def beats(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
        a, b = (a[0], -a[1], a[2]), (b[0], -b[1], b[2])
        return all(x <= y for x, y in zip(a, b, strict=True)) and a != b

    assert found == {at for at in points if not any(beats(other, points[at]) for other in points.values())}
    assert not any(beats(points[a], points[b]) for a, b in itertools.product(found, found))
    assert front({}, []) == []


def test_a_trial_is_worth_its_tail_and_the_images_that_it_took_or_twice_the_budget(tmp_path: Path) -> None:
    state = FakeTune(tmp_path, file(), PLAN).go()
    wanted = objectives(state)
    assert [each.name for each in wanted] == ["fid", "images_to_reach_fid_30", "recall"]
    assert of_trial(state.trials[0], wanted) == (20.0, 300.0, 0.3)
    assert of_trial(state.trials[2], wanted) == (9.0, 200.0, 0.25)  # 29 at 200
    assert of_trial(state.trials[3], wanted) == (50.0, 2.0 * BUDGET, 0.9)
    assert of_trial(state.trials[4], wanted) is None
    assert [trial.end_reason for trial in state.trials.values()] == [*["completed"] * 4, "non_finite", "completed"]
    assert list(best_trials(state)) == [2, 0, 5, 3]
    assert words(state)[0].endswith("4 trials, none better in all")
    document = status_document(state, tmp_path, {}, 0)
    assert document["front"] == {
        "2": [9.0, 200.0, 0.25],
        "0": [20.0, 300.0, 0.3],
        "5": [25.0, 300.0, 0.5],
        "3": [50.0, 1000.0, 0.9],
    }


def test_the_study_has_all_objectives_and_a_failure_is_worse_in_each(tmp_path: Path) -> None:
    tune = FakeTune(tmp_path, file(), PLAN)
    tune.go()
    study = tune.study()
    assert [direction.name for direction in study.directions] == ["MINIMIZE", "MINIMIZE", "MAXIMIZE"]
    assert {trial.number for trial in study.best_trials} == {0, 2, 3, 5}
    failed = study.trials[4]
    assert failed.constraints == {"non_finite": 1.0}
    others = [trial.values for trial in study.trials if trial.number != 4]
    assert failed.values[0] > max(values[0] for values in others)
    assert failed.values[2] < min(values[2] for values in others)


def test_a_resumed_sweep_of_several_objectives_proposes_the_same(tmp_path: Path) -> None:
    tune = FakeTune(tmp_path, file(), PLAN)
    state = tune.go()
    lines, _ = read(tune.record.path)
    for at, line in enumerate(lines):
        if line["event"] == "trial":
            resumed = Sampler.of(tune.file)
            resumed.replay(lines[:at])
            assert resumed.ask(line["trial"])[0] == state.trials[line["trial"]].point


def test_a_pick_confirms_the_front(tmp_path: Path) -> None:
    state = FakeTune(tmp_path, file(), PLAN).go()
    chosen = finalists(state, file().space, top=1)  # type: ignore[attr-defined]
    assert {each.trial for each in chosen} == {0, 2, 3, 5}
    assert [each.why for each in chosen if each.trial == 0] == [("front", "default")]


def test_mlflows_note_on_the_sweep_has_the_front(tmp_path: Path) -> None:
    state = FakeTune(tmp_path, file(), PLAN).go()
    note = leaderboard(state, 20_000)
    for line in words(state):
        assert line.strip() in note


def test_a_sweep_with_one_objective_has_no_front(tmp_path: Path) -> None:
    state = FakeTune(tmp_path).go()
    assert (best_trials(state), words(state)) == ({}, [])


BAD = {
    "one in a list": ({"objective": ["fid"]}, "valid: one metric, or a list that begins with one"),
    "a target first": (
        {"objective": [{"images_to_reach": {"metric": "fid", "value": 5}}, "fid"]},
        "valid: one metric, or a list that begins with one",
    ),
    "an unknown metric": ({"objective": ["fid", "recal"]}, 'found "recal", did you mean "recall"?'),
    "a metric of other data": ({"objective": ["fid", "sliced_wasserstein"]}, "which is for"),
    "an unknown kind": ({"objective": ["fid", {"images_until": 5}]}, "images_to_reach"),
    "a target without a value": ({"objective": ["fid", {"images_to_reach": {"metric": "fid"}}]}, "value: 50"),
    "twice the same": ({"objective": ["fid", "fid"]}, "valid: each once"),
    "rungs": ({**SEVERAL, "rungs": {"reduction": 4}}, "rungs: found with several objectives"),
    "gp": ({**SEVERAL, "search": {"sampler": "gp"}}, "valid: tpe, random, auto"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_is_one_line(case: str) -> None:
    changes, said = BAD[case]
    with pytest.raises(InputError) as raised:
        sweep_file(**changes)
    assert said in str(raised.value)
    assert "objective" in str(raised.value) or "sampler" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_resolved_file_reads_back_as_it_was() -> None:
    found = file()
    again = from_tree(json.loads(json.dumps(found.tree)), "test.yaml")  # type: ignore[attr-defined]
    assert again.sweep == found.sweep  # type: ignore[attr-defined]
    assert math.isclose(again.sweep.objectives[1].reach or 0.0, 30.0)


def test_the_confirmed_front_is_by_the_fresh_seeds(tmp_path: Path) -> None:
    """On them trial 0 is the best in all but that 2 is as quick; 3, which the search had on its front, collapses."""
    FakeTune(tmp_path, file(), PLAN).go()
    scores = {0: 5.0, 2: 6.0, 3: None, 5: 35.0}
    found = verdict(FakeRace(tmp_path, lambda job: scores[job.trial], file=file()).go())
    rows = {row.trial: row for row in found.rows}
    assert rows.keys() == scores.keys()
    assert rows[0].objectives == {
        "fid": 6.0,  # of the test part
        "images_to_reach_fid_30": 100.0,
        "recall": 0.2,
    }
    assert rows[5].objectives["images_to_reach_fid_30"] == 2 * BUDGET
    assert [number for number, row in rows.items() if row.front] == [0]
    assert rows[3].objectives == {}


def test_who_holds_on_few_of_the_fresh_seeds_is_not_on_the_confirmed_front_and_all_are_run_on_all(
    tmp_path: Path,
) -> None:
    """Trial 3 has the best values wherever it does not collapse: on one seed of five."""
    FakeTune(tmp_path, file(), PLAN).go()
    seeds: dict[int, int] = {}

    def score(job: Attempt) -> float | None:
        seeds[job.seed] = seeds.get(job.seed, len(seeds))
        return {0: 5.0, 2: 6.0, 3: 1.0 if seeds[job.seed] == 0 else None, 5: 35.0}[job.trial]

    found = verdict(FakeRace(tmp_path, score, file=file()).go())
    rows = {row.trial: row for row in found.rows}
    assert (rows[3].healthy, rows[3].objectives, rows[3].front) == (1, {}, False)
    assert rows[0].front
    assert {row.seeds for row in found.rows} == {5}
