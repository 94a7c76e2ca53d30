"""What eyes say of a sweep's samples in MLflow, on a real SQLite store."""

import json
from pathlib import Path

import pytest

from pipeline.judging.judgement import judgement
from pipeline.judging.votes import Entry, Shown, add
from pipeline.tracking.tracker import default_uri, run_ids, sync
from tests.tracking.reading import mlflow_client, points_in
from tests.tracking.realistic import SEED, finished


def vote(folder: Path, number: int, left: int, right: int) -> None:
    shown = [Shown(trial=trial, seed=SEED, images=100) for trial in (left, right)]
    add(
        folder,
        Entry(said="vote", time=2e9 + number, by="ann", id=str(number), left=shown[0], right=shown[1], choice="left"),
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep that was sent before it was judged, then judged twice."""
    home = tmp_path_factory.mktemp("judged")
    folder = finished(home, trials=3).folder
    sync(folder, default_uri(home))
    for number in range(4):
        vote(folder, number, 1, number % 3 if number % 3 != 1 else 0)
    sync(folder, default_uri(home))
    for number in range(4, 6):
        vote(folder, number, 1, 2)
    sync(folder, default_uri(home))
    return home


def test_the_shares_are_with_the_trials_by_the_number_of_votes(home: Path) -> None:
    found, client, ids = judgement(home / "clothes"), mlflow_client(home), run_ids(home / "clothes")
    assert found is not None
    for row in found.rows:
        metrics = client.get_run(ids[row.player, None]).data.metrics
        assert metrics["judge/share"] == pytest.approx(row.share)
        assert (metrics["judge/share_low"], metrics["judge/share_high"]) == pytest.approx(row.interval)
    history = client.get_metric_history(ids[1, None], "judge/share")
    assert [point.step for point in history] == [4, 6]


def test_the_ranking_is_a_table_of_the_sweeps_run_with_the_votes_beside_it(home: Path, tmp_path: Path) -> None:
    client = mlflow_client(home)
    run = client.get_run(json.loads((home / "clothes" / "tracking.json").read_text())["parent"])
    assert (run.data.metrics["judge/votes"], run.data.metrics["judge/best_trial"]) == (6, 1)
    table = json.loads(
        Path(client.download_artifacts(run.info.run_id, "judge/ranking.json", str(tmp_path))).read_text()
    )
    assert table["columns"][:2] == ["trial", "share"]
    assert [row[0] for row in table["data"]] == [1, 0, 2]
    assert json.loads(run.data.tags["mlflow.loggedArtifacts"]) == [{"path": "judge/ranking.json", "type": "table"}]
    sent = client.download_artifacts(run.info.run_id, "judge/judge.jsonl", str(tmp_path))
    assert Path(sent).read_bytes() == (home / "clothes" / "judge.jsonl").read_bytes()
    page = client.download_artifacts(run.info.run_id, "report/report.html", str(tmp_path))
    assert "What eyes prefer" in Path(page).read_text()


def test_sent_again_nothing_is_there_twice(home: Path) -> None:
    before = sorted(points_in(home))
    sync(home / "clothes", default_uri(home))
    (home / "clothes" / "tracking.json").unlink()
    sync(home / "clothes", default_uri(home))
    assert sorted(points_in(home)) == before
