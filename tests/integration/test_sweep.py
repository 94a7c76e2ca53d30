"""A sweep from the command to MLflow, on a real Ray: what it leaves, what it says, and that it can be repeated."""

import json
import math
from pathlib import Path

import pytest

from tests.integration.command import NOISE, RAN, SEED, TRIALS, found, gansweep, made_twice, state_of
from tests.integration.conftest import Finished

pytestmark = pytest.mark.slow

TRIAL_KEYS = {
    *("number", "state", "end_reason", "evidence", "params", "images", "best", "final", "tail", "seconds"),
    *("mlflow_run_id", "runs"),
}
RUN_KEYS = {
    *("seed", "state", "end_reason", "evidence", "images", "best", "final", "tail", "seconds", "mlflow_run_id"),
}


def test_a_sweep_ends_well_and_its_document_has_what_the_design_says(whole: Finished) -> None:
    assert whole.done.code == 0, whole.done.err
    document = whole.done.document
    assert document.keys() >= {
        *("name", "state", "space", "objective", "trials", "best_trial", "seconds", "tracker_backlog")
    }
    assert (document["name"], document["state"], document["space"]) == ("whole", "finished", "preset digits")
    assert document["objective"].keys() >= {"metric", "direction", "floor", "floor_spread"}
    assert (document["objective"]["metric"], document["objective"]["direction"]) == ("fid", "minimize")
    assert document["objective"]["floor"] > 0
    assert [trial["number"] for trial in document["trials"]] == list(range(TRIALS))
    for trial in document["trials"]:
        assert trial.keys() >= TRIAL_KEYS
        assert trial["state"] == "finished"
        assert trial["end_reason"] in RAN
        assert len(trial["runs"]) == 1
        assert trial["runs"][0].keys() >= RUN_KEYS
        assert trial["params"]["optimiser.lr_g"] > 0
    best = document["trials"][document["best_trial"]]
    tails = [trial["tail"]["fid"] for trial in document["trials"] if trial["end_reason"] == "completed"]
    assert best["tail"]["fid"] == min(tails)
    assert document["tracker_backlog"] == 0


def test_status_says_the_same_as_the_sweep_did(whole: Finished) -> None:
    status = gansweep(whole.home, "status", "whole", "--json")
    assert (status.code, status.err) == (0, "")
    assert status.document == whole.done.document


def test_replay_says_what_other_rules_would_have_done(whole: Finished, tmp_path: Path) -> None:
    same = gansweep(whole.home, "replay", "whole", "--json")
    assert (same.code, same.err) == (0, "")
    runs = [run for trial in whole.done.document["trials"] for run in trial["runs"]]
    assert same.document["runs"] == len(runs)
    assert same.document["killed_well"] == 0
    rules = tmp_path / "rules.yaml"
    rules.write_text("health: {all: {reason: collapsed, signal: coverage, comparison: <, threshold: 2, grace: 0}}")
    found = gansweep(whole.home, "replay", "whole", "--rules", str(rules))
    well = sum(run["end_reason"] == "completed" for run in runs)
    assert f"{len(runs)} of {len(runs)} runs would have been stopped, {well} of which ended well" in found.out
    rules.write_text("health: {all: {reason: collapsed, signal: covrage, comparison: <, threshold: 2}}")
    typo = gansweep(whole.home, "replay", "whole", "--rules", str(rules))
    assert (typo.code, typo.out) == (2, "")
    assert 'rules.yaml: health.all.signal: found "covrage", did you mean "coverage"?' in typo.err
    rules.write_text("rules: {}")
    assert "valid: a section health" in gansweep(whole.home, "replay", "whole", "--rules", str(rules)).err


def test_the_screen_has_the_leaderboard_and_nothing_of_the_frameworks(whole: Finished) -> None:
    assert json.loads(whole.done.out)["name"] == "whole"
    assert whole.done.out.count("\n") == 1
    err = whole.done.err
    assert NOISE.search(err) is None, err
    read = "data: digits: 1,797 images, grey, 8 x 8; classes 0 178, 1 182"
    assert 0 <= err.find(read) < err.index("trial 0: "), err
    table = err[err.index("whole: fid") :]
    rows = [line.split() for line in table.splitlines()]
    assert {str(number) for number in range(TRIALS)} <= {row[0] for row in rows if row}
    assert "default" in table
    assert "gansweep resume whole" in table
    for number in range(TRIALS):
        assert f"trial {number}: " in err


def test_what_the_frameworks_said_is_in_the_log(whole: Finished) -> None:
    log = (whole.home / "whole" / "log.txt").read_text()
    assert NOISE.search(log)


def test_the_folder_has_the_sweep_as_resolved_checkpoints_and_samples(whole: Finished) -> None:
    folder = whole.home / "whole"
    assert "evaluation:" in (folder / "sweep.yaml").read_text()
    for trial in whole.state.trials.values():
        run = trial.first
        assert run is not None
        place = folder / "trials" / str(trial.number) / f"seed-{run.seed}"
        assert len(list((place / "samples").glob("images-*.png"))) == len(run.measurements)
        kept = {path.name.split("-")[1] for path in (place / "checkpoints").iterdir()}
        best = f"{run.best('fid')[0]:012d}"  # type: ignore[index]
        last = [f"{m.images:012d}" for m in run.measurements[-2:]]
        assert kept == ({best} if run.end_reason == "rung" else {best, *last})
    assert not (folder / "ray").exists()
    assert not (folder / "driver.lock").exists()


def test_mlflow_has_the_sweep_its_trials_and_every_point(whole: Finished) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{whole.home.resolve()}/mlflow.db")
    document = whole.done.document
    parents = set()
    for trial in whole.state.trials.values():
        run = client.get_run(document["trials"][trial.number]["mlflow_run_id"])
        parents.add(run.data.tags["mlflow.parentRunId"])
        assert run.info.status == "FINISHED"
        assert run.data.tags["end_reason"] == trial.end_reason
        history = client.get_metric_history(run.info.run_id, "fid")
        first = trial.first
        assert first is not None
        assert [(point.step, point.value) for point in history] == first.values("fid")
        assert math.isclose(run.data.metrics["tail.fid"], trial.tail("fid"))  # type: ignore[arg-type]
        assert math.isclose(float(run.data.params["optimiser.lr_g"]), trial.params["optimiser.lr_g"], rel_tol=1e-4)
    (parent,) = parents
    sweep = client.get_run(parent)
    assert (sweep.info.run_name, sweep.info.status) == ("whole", "FINISHED")
    children = client.search_runs([sweep.info.experiment_id], filter_string=f"tags.`mlflow.parentRunId` = '{parent}'")
    assert {child.info.run_id for child in children} == {trial["mlflow_run_id"] for trial in document["trials"]}


def test_the_same_seed_gives_the_same_sweep_and_a_finished_one_is_extended(whole: Finished) -> None:
    from tests.integration.command import SWEEP

    short = gansweep(whole.home, "run", *SWEEP, "--trials", "2", "--name", "short")
    assert short.code == 0, short.err
    assert found(state_of(whole.home, "short")) == found(whole.state)[:2]
    longer = gansweep(whole.home, "resume", "short", "--trials", str(TRIALS), "--json")
    assert longer.code == 0, longer.err
    state = state_of(whole.home, "short")
    assert found(state) == found(whole.state)
    assert made_twice(Finished(whole.home, "short", longer).lines) == []
    assert longer.document["state"] == "finished"
    assert state.seed == SEED
