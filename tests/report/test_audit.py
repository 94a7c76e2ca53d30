"""What other rules would have stopped, and whether the stops that were not carried out would have been right."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.report.audit import audited, replayed
from pipeline.schema.base import parse
from pipeline.schema.sweep import SweepSpec
from tests.drivers.fake_tune import MIXED, FakeTune, ends, sweep_file, told

DEFAULTS = parse(SweepSpec, {"objective": "fid"}, "test").health
OFF = {"enabled": False}
SEARCH = {"trials": 8, "startup": 2, "seed": 5}


def test_the_rules_of_a_sweep_replayed_are_what_it_did(tmp_path: Path) -> None:
    state = FakeTune(tmp_path, sweep_file(rungs=OFF), plan=MIXED).go()
    found = replayed(state, DEFAULTS)
    by_trial = {stop.trial: stop for stop in found.stops}
    assert (by_trial[4].reason, by_trial[4].ended, by_trial[4].saved) == ("collapsed", "collapsed", 0.0)
    assert by_trial[1].reason == "non_finite"
    assert not found.wrong
    assert not found.missed


def test_other_rules_say_what_they_would_have_killed_and_what_they_miss(tmp_path: Path) -> None:
    state = FakeTune(tmp_path, sweep_file(rungs=OFF), plan=MIXED).go()
    strict = {"signal": "diversity_ratio", "comparison": "<", "threshold": 0.95, "reason": "collapsed", "grace": 0.0}
    rules = parse(SweepSpec, {"objective": "fid", "health": {"mine": strict, "low_diversity": None}}, "t").health
    found = replayed(state, rules)
    wrong = {stop.trial for stop in found.wrong}
    assert wrong == {run.trial for run in state.runs if run.end_reason == "completed"}
    assert all(stop.images == 100 and stop.saved == 4.0 for stop in found.wrong)
    assert found.document()["killed_well"] == len(wrong)
    lenient = parse(SweepSpec, {"objective": "fid", "health": {"low_diversity": None}}, "t").health
    assert replayed(state, lenient).missed == ((4, state.trials[4].first.seed, "collapsed"),)  # type: ignore[union-attr]
    warn = strict | {"action": "warn"}
    said = parse(SweepSpec, {"objective": "fid", "health": {"mine": warn}}, "t").health
    assert replayed(state, said).warnings["mine"] >= len(wrong)


def test_an_audited_run_goes_on_to_its_end_and_the_sweep_says_whether_that_was_right(tmp_path: Path) -> None:
    recovers = {at: {"signals": {"diversity_ratio": 0.2}} for at in (100, 200, 300, 400)}
    file = sweep_file(rungs=OFF, search=SEARCH | {"audit": 1.0})
    (tmp_path / "audited").mkdir()
    tune = FakeTune(tmp_path / "audited", file, plan={4: MIXED[4], 2: recovers})
    state = tune.go()
    assert [run.trial for run in state.runs if run.audited] == [2, 4]
    assert state.trials[4].first.end_reason == "collapsed"  # type: ignore[union-attr]
    assert state.trials[4].first.images == 500  # type: ignore[union-attr]
    assert state.trials[2].first.end_reason == "completed"  # type: ignore[union-attr]
    assert all(run.images == 500 for run in state.runs)
    (line,) = audited(state)
    assert line.startswith("audit: ")
    assert "would have been wrong" in line
    lines = [line for line in tune.record.path.read_text().splitlines() if '"audited"' in line]
    assert len(lines) == sum(run.audited is not None for run in state.runs)


def test_without_an_audit_stops_are_carried_out_and_nothing_is_said(tmp_path: Path) -> None:
    state = FakeTune(tmp_path, sweep_file(rungs=OFF), plan=MIXED).go()
    assert ends(state)[4] == "collapsed"
    assert audited(state) == []


def test_an_audit_is_the_same_after_a_restart(tmp_path: Path) -> None:
    file = sweep_file(search=SEARCH | {"audit": 0.5})
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    whole.mkdir()
    parted.mkdir()
    one = FakeTune(whole, file, plan=MIXED).go()
    first = FakeTune(parted, file, plan=MIXED)
    first.go(steps=17)
    again = FakeTune(parted, file, plan=MIXED, checkpoints=first.checkpoints)
    assert told(again.go()) == told(one)


@pytest.mark.parametrize("share", [-0.1, 1.5, math.nan])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises((InputError, ValueError), match=r"audit|JSON"):
        sweep_file(search=SEARCH | {"audit": share})
