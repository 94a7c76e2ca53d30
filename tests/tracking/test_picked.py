"""A pick in MLflow: a run of its own with its seeds as children, on a real SQLite store."""

from pathlib import Path

import pytest
import yaml

from pipeline.picking.neighbours import Perturbation
from pipeline.picking.verdict import verdict
from pipeline.record.state import SweepState
from pipeline.tracking.tracker import default_uri, run_ids, sync
from tests.picking.fake_race import FakeRace, searched
from tests.tracking.reading import mlflow_client, runs_in


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep and a pick, sent before, between and after: it was killed once in the middle."""
    home = tmp_path_factory.mktemp("picked")
    folder = home / "fake"
    searched(folder)
    sync(folder, default_uri(home))

    class Killed(Exception):
        pass

    def kill(line: dict[str, object], when: str) -> None:
        if line["event"] == "measurement" and line["n"] > 80 and when == "after":
            raise Killed

    with pytest.raises(Killed):
        FakeRace(folder, hook=kill).go()
    sync(folder, default_uri(home))
    race = FakeRace(folder)
    race.go()
    race.record.append("driver", doing="pick", session="p", state="finished")
    sync(folder, default_uri(home))
    return home


def state_of(home: Path) -> SweepState:
    from pipeline.record.log import read

    return SweepState.fold(read(home / "fake" / "events.jsonl")[0])


def test_the_pick_is_a_run_with_its_seeds_as_children(home: Path) -> None:
    state, client, ids = state_of(home), mlflow_client(home), run_ids(home / "fake")
    pick = client.get_run(ids[-1, None])
    assert (pick.info.run_name, pick.info.status) == ("pick", "FINISHED")
    assert pick.data.tags["gansweep.kind"] == "pick"
    assert pick.data.tags["best_trial"] == str(verdict(state).best.trial)
    assert "picked: trial" in pick.data.tags["mlflow.note.content"]
    children = client.search_runs(
        [pick.info.experiment_id], f"tags.`mlflow.parentRunId` = '{pick.info.run_id}'", max_results=100
    )
    assert len(children) == len(state.confirmations) > 10
    assert {child.info.run_id for child in children} == {ids[run.trial, run.seed] for run in state.confirmations}
    assert {child.info.status for child in children} == {"FINISHED"}


def test_a_childs_curves_are_those_of_the_record_with_the_test_part(home: Path) -> None:
    state, client, ids = state_of(home), mlflow_client(home), run_ids(home / "fake")
    for run in state.confirmations[:3]:
        child = client.get_run(ids[run.trial, run.seed])
        history = client.get_metric_history(child.info.run_id, "fid")
        assert [(point.step, point.value) for point in history] == run.values("fid")
        assert child.data.metrics["test_tail.fid"] == run.test_tail("fid")
        tested = client.get_metric_history(child.info.run_id, "test/fid")
        assert [point.step for point in tested] == [300, 400, 500]
        assert (child.data.params["seed"], child.data.tags["end_reason"]) == (str(run.seed), "completed")


def test_the_trials_of_the_search_are_as_they_were(home: Path) -> None:
    state, client, ids = state_of(home), mlflow_client(home), run_ids(home / "fake")
    for trial in state.trials.values():
        found = client.get_run(ids[trial.number, None])
        assert found.data.metrics["tail.fid"] == trial.tail("fid")
        assert "seeds" not in found.data.metrics
        assert found.data.tags["gansweep.kind"] == "trial"


def test_the_pick_carries_best_yaml(home: Path) -> None:
    state, client, ids = state_of(home), mlflow_client(home), run_ids(home / "fake")
    text = Path(client.download_artifacts(ids[-1, None], "best.yaml")).read_text()
    best = state.trials[verdict(state).best.trial]
    assert yaml.safe_load(text)["optimiser"]["lr_g"] == best.params["optimiser.lr_g"]
    assert text.startswith("# Picked by gansweep from the sweep fake")


def test_neighbours_are_children_of_the_pick_and_in_no_leaderboard(empty_home: Path) -> None:
    folder, uri = empty_home / "fake", default_uri(empty_home)
    searched(folder)
    race = FakeRace(folder, seeds=3, perturb=Perturbation(1.5))
    race.go()
    race.record.append("driver", doing="pick", session="p", state="finished")
    for _ in range(2):
        sync(folder, uri)
        (folder / "tracking.json").unlink()
    sync(folder, uri)
    state, runs, ids = state_of(empty_home), runs_in(empty_home), run_ids(folder)
    pick = runs["pick"]
    assert "plateau: " in pick.data.tags["mlflow.note.content"]
    assert pick.data.metrics["plateau/ended.completed"] == len(state.perturbed) >= 6
    assert pick.data.metrics["pick/ended.completed"] == len(state.confirmations)
    for run in state.perturbed:
        child = mlflow_client(empty_home).get_run(ids[run.trial, run.seed])
        neighbour = state.neighbours[run.trial]
        assert child.info.run_name == f"{neighbour.title} fresh seed {run.seed}"
        assert child.data.tags["mlflow.parentRunId"] == pick.info.run_id
        assert child.data.tags["perturbed"] == neighbour.moved.parameter  # type: ignore[union-attr]
        assert child.data.tags["gansweep.kind"] == "seed"
        assert child.data.metrics["test_tail.fid"] == run.test_tail("fid")
    assert "with optimiser" not in runs["fake"].data.tags["mlflow.note.content"]
