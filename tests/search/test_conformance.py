"""What every sampler keeps to; a new one joins by its name in conftest.py."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from optuna.trial import TrialState

import pipeline
from pipeline.record.log import read
from pipeline.record.runs import END_REASONS, HEALTH_REASONS
from pipeline.search.sampler import Outcome
from tests.search.conftest import KNOWN_GOOD


def test_every_proposal_is_a_whole_point_of_the_space(played, space):
    for point in played.points:
        again, tree = space.fixed(point)
        assert again == point
        assert tree["fixed"] == {"deep": 3}
        assert json.loads(json.dumps(point)) == point


def test_a_conditional_parameter_is_there_only_under_its_branch(played):
    branches = set()
    for point in played.points:
        branches.add((point["regularisers"], point.get("regularisers[r1].r1.lazy")))
        assert ("regularisers[r1].r1.weight" in point) == (point["regularisers"] == "r1")
        assert ("regularisers[gp].gp.weight" in point) == (point["regularisers"] == "gp")
        assert ("regularisers[r1].r1.lazy[yes]" in point) == (point.get("regularisers[r1].r1.lazy") == "yes")
    assert len(branches) >= 3


def test_known_good_comes_first(new_sampler, space):
    sampler = new_sampler()
    point, source = sampler.ask(0)
    assert source == "known_good"
    assert point["regularisers[r1].r1.lazy[yes]"] == 16
    assert sampler.ask(1)[1] != "known_good"


def test_the_seed_decides(play, new_sampler):
    a, b, c = (play(name, new_sampler(seed)).go(7) for name, seed in (("a", 3), ("b", 3), ("c", 4)))
    assert a == b
    assert all(mine != theirs for mine, theirs in zip(a[1:], c[1:], strict=True))


def test_a_sweep_resumed_after_any_line_proposes_what_the_uninterrupted_one_does(played, new_sampler):
    lines, _ = read(played.path)
    asked = [at for at, line in enumerate(lines) if line["event"] == "trial"]
    for at in asked:
        resumed = new_sampler()
        resumed.replay(lines[:at])
        number = lines[at]["trial"]
        assert resumed.ask(number) == (lines[at]["point"], lines[at]["source"]), number


def test_each_end_reason_is_told_and_nothing_stays_running(new_sampler):
    sampler = new_sampler()
    for number, reason in enumerate(END_REASONS):
        sampler.ask(number)
        sampler.tell(number, Outcome(reason, 20.0 + number, [(100, 30.0), (200, 20.0)] if reason == "rung" else []))
    trials = sampler.study().trials
    told = dict(zip(END_REASONS, trials, strict=True))
    assert not [trial for trial in trials if not trial.state.is_finished()]
    assert told["completed"].state == TrialState.COMPLETE
    assert told["completed"].value == 20.0
    assert told["rung"].state == TrialState.PRUNED
    assert told["rung"].intermediate_values == {100: 30.0, 200: 20.0}
    for reason in (*HEALTH_REASONS, "out_of_memory", "invalid"):
        assert told[reason].state == TrialState.COMPLETE
        assert {name for name, value in told[reason].constraints.items() if value > 0} == {reason}
        assert told[reason].value > 21.0
    assert told["crashed"].state == told["retries_spent"].state == TrialState.FAIL
    assert sampler.ask(len(END_REASONS))[1] != "known_good"


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_whatever_value_a_run_ends_with_the_study_hears_finite_ones(new_sampler, value):
    sampler = new_sampler(startup=10)
    for number, reason in enumerate(("completed", "completed", *END_REASONS)):
        sampler.ask(number)
        sampler.tell(number, Outcome(reason, 5.0 - number if number < 2 else value))
    trials = sampler.study().trials
    assert all(math.isfinite(trial.value) for trial in trials if trial.state == TrialState.COMPLETE)
    for trial in trials[2:]:
        assert trial.state == TrialState.FAIL or sum(v for v in trial.constraints.values() if v > 0) == 1
    sampler.ask(len(trials))


@pytest.mark.parametrize("minimise", [True, False])
def test_a_penalty_is_worse_than_any_result_also_than_later_ones(new_sampler, minimise):
    sampler = new_sampler(minimise=minimise, startup=20)
    for number, value in enumerate((3.0, -2.0, 50.0, -70.0)):
        sampler.ask(2 * number)
        sampler.tell(2 * number, Outcome("collapsed", 1.0))
        sampler.ask(2 * number + 1)
        sampler.tell(2 * number + 1, Outcome("completed", value))
    values = [trial.value for trial in sampler.study().trials]
    worse = max if minimise else min
    assert worse(values[1::2]) != worse(values)
    assert all(value == worse(values) for value in values[::2])


def test_a_trial_is_asked_for_once_and_told_again_only_of_itself(new_sampler):
    sampler = new_sampler()
    sampler.ask(0)
    with pytest.raises(ValueError, match="trial 0 has been asked for"):
        sampler.ask(0)
    with pytest.raises(ValueError, match="trial 1 was not asked for"):
        sampler.tell(1, Outcome("completed", 1.0))
    sampler.tell(0, Outcome("completed", 1.0))
    sampler.tell(0, Outcome("completed", 3.0))  # of more seeds
    assert sampler.study().trials[0].value == 3.0


def test_a_process_of_its_own_proposes_the_same_whatever_the_order_of_its_sets(played, kind, space, new_sampler):
    code = """
import json, sys
from pipeline.record.log import read
from pipeline.search.prior import Known
from pipeline.search.sampler import Sampler
from pipeline.space.tree import Space
from pipeline.schema.sweep import SearchSpec
path, tree, kind, number = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3], int(sys.argv[4])
space = Space.parse(tree, "test.yaml")
good = Known([space.fixed(json.loads(sys.argv[5]))[0]])
sampler = Sampler(space, SearchSpec(sampler=kind, startup=4), True, good)
sampler.replay(read(__import__("pathlib").Path(path))[0])
print(json.dumps(sampler.ask(number)[0]))
assert kind == "gp" or "torch" not in sys.modules
"""
    number = len(played.points)
    arguments = [str(played.path), json.dumps(space.tree), kind, str(number), json.dumps(KNOWN_GOOD)]
    said = []
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(pipeline.__file__).parents[1])},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        said.append(json.loads(done.stdout))
    here = new_sampler()
    here.replay(read(played.path)[0])
    assert said[0] == said[1] == here.ask(number)[0]
