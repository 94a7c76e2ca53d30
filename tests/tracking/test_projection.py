"""A record projected into a real SQLite tracker, and read back with MLflow's own client."""

import json
import math
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.record.log import read
from pipeline.record.state import SweepState
from pipeline.report.markdown import leaderboard
from pipeline.report.status import status_document, trial_rows
from pipeline.report.summary import summary as lines_of
from pipeline.search.outcome import trial_outcome
from pipeline.tracking.tracker import default_uri, run_ids, sync
from tests.tracking.reading import mlflow_client, points_in, runs_in
from tests.tracking.realistic import BUDGET, EVERY, SEED, Sweep


def test_the_hierarchy_is_sweep_trial_further_seed(home: Path) -> None:
    runs = runs_in(home)
    assert len(runs) == 1 + 8 + 2
    assert "mlflow.parentRunId" not in runs["clothes"].data.tags
    for number in range(8):
        assert runs[f"trial {number}"].data.tags["mlflow.parentRunId"] == runs["clothes"].info.run_id
    for seed in (11, 12):
        assert runs[f"trial 0 seed {seed}"].data.tags["mlflow.parentRunId"] == runs["trial 0"].info.run_id


def test_every_point_of_the_record_is_there_once_at_its_time_and_images(home: Path) -> None:
    lines = [line for line in read(home / "clothes" / "events.jsonl")[0] if line["event"] == "measurement"]
    ids = run_ids(home / "clothes")
    there = points_in(home)
    for line in lines:
        run = ids[line["trial"], line["seed"]]
        for name, value in line["metrics"].items():
            found = [p for p in there if p[:2] == (run, name) and p[3] == line["images"]]
            assert found == [(run, name, round(line["time"] * 1000), line["images"], value, 0)]
        assert sum(p[0] == run and p[1] == "signals/loss_g" and p[3] == line["images"] for p in there) == 1
    assert sum(p[1] == "fid" for p in there) == len(lines)


def test_a_trial_has_what_was_searched_as_params_and_its_whole_spec_as_a_file(home: Path) -> None:
    line = next(line for line in read(home / "clothes" / "events.jsonl")[0] if line.get("trial") == 1)
    run = runs_in(home)["trial 1"]
    keys = {"optimiser.lr_g", "optimiser.lr_d", "game.objective", "regularisers", "regularisers.r1.weight", "seed"}
    assert run.data.params.keys() == keys
    assert float(run.data.params["optimiser.lr_g"]) == pytest.approx(line["point"]["optimiser.lr_g"], rel=1e-5)
    assert run.data.params["seed"] == str(SEED)
    assert "regularisers.r1.weight" not in runs_in(home)["trial 0"].data.params
    spec = mlflow_client(home).download_artifacts(run.info.run_id, "spec.yaml")
    assert yaml.safe_load(Path(spec).read_text()) == line["spec"]


def test_summaries_are_medians_over_the_seeds(home: Path) -> None:
    lines = [line for line in read(home / "clothes" / "events.jsonl")[0] if line["event"] == "measurement"]
    runs = runs_in(home)

    def tail(seed: int) -> float:
        return sorted(line["metrics"]["fid"] for line in lines if line["trial"] == 0 and line["seed"] == seed)[1]

    curves = {s: [n["metrics"]["fid"] for n in lines if (n["trial"], n["seed"]) == (0, s)] for s in (SEED, 11, 12)}
    tails = sorted(sorted(curve[-3:])[1] for curve in curves.values())
    found = runs["trial 0"].data.metrics
    assert found["tail.fid"] == tails[1]
    assert (found["tail_lowest.fid"], found["tail_highest.fid"], found["seeds"]) == (tails[0], tails[2], 3)
    assert found["best.fid"] == sorted(min(curve) for curve in curves.values())[1]
    assert found["final.fid"] == sorted(curve[-1] for curve in curves.values())[1]
    assert found["fid"] == curves[SEED][-1]
    assert runs["trial 0 seed 11"].data.metrics["best.fid"] == min(curves[11])
    one = [n for n in lines if n["trial"] == 3]
    best = min(one, key=lambda line: line["metrics"]["fid"])
    assert runs["trial 3"].data.metrics["best.images"] == best["images"]
    assert runs["trial 3"].data.metrics["best.coverage"] == best["metrics"]["coverage"]


def test_ends_are_told_with_reason_evidence_and_mlflows_status(home: Path) -> None:
    runs = runs_in(home)
    ended = {name: (runs[name].info.status, runs[name].data.tags["end_reason"]) for name in runs if name != "clothes"}
    assert ended["trial 0"] == ("FINISHED", "completed")
    assert ended["trial 2"] == ("FINISHED", "rung")
    assert ended["trial 4"] == ("FINISHED", "collapsed")
    assert ended["trial 7"] == ("FAILED", "crashed")
    tags = runs["trial 4"].data.tags
    assert tags["evidence"] == "collapsed: coverage < 0.15: 0.03 at 8,000, 0.04 at 12,000, 0.05 at 16,000 images"
    assert json.loads(tags["evidence.json"])["values"][0] == {"images": 8000, "value": 0.03}
    assert "ValueError: bad shape" in runs["trial 7"].data.tags["evidence"]
    assert runs["clothes"].info.status == "FINISHED"


def test_run_times_are_the_records(home: Path) -> None:
    lines = read(home / "clothes" / "events.jsonl")[0]
    ended = next(line for line in lines if line["event"] == "run_ended" and line["trial"] == 1)
    began = next(line for line in lines if line["event"] == "trial" and line["trial"] == 1)
    info = runs_in(home)["trial 1"].info
    assert (info.start_time, info.end_time) == (round(began["time"] * 1000), round(ended["time"] * 1000))


def test_the_sweeps_own_run_says_who_leads(home: Path) -> None:
    run = runs_in(home)["clothes"]
    assert run.data.metrics["sweep/floor"] == 2.5
    assert run.data.metrics["sweep/ended.rung"] == 2
    best = int(run.data.tags["best_trial"])
    assert run.data.metrics["sweep/best_trial"] == best
    tails = {
        n: r.data.metrics["tail.fid"] for n, r in runs_in(home).items() if r.data.tags.get("end_reason") == "completed"
    }
    assert run.data.metrics["sweep/best_tail.fid"] == min(v for n, v in tails.items() if "seed" not in n)
    note = run.data.tags["mlflow.note.content"]
    assert f"| 1 | {best} |" in note
    assert "trial 4: collapsed: coverage < 0.15" in note
    assert run.data.params["search.sampler"] == "tpe"


def test_pictures_and_checkpoints_are_uploaded(home: Path) -> None:
    client, run = mlflow_client(home), runs_in(home)["trial 3"]
    names = [Path(f.path).name for f in client.list_artifacts(run.info.run_id, "samples")]
    assert names == [f"images-{at:012d}.png" for at in range(EVERY, BUDGET + 1, EVERY)]
    sent = Path(client.download_artifacts(run.info.run_id, f"samples/{names[3]}"))
    assert sent.read_bytes() == (home / "clothes/trials/3" / f"seed-{SEED}/samples/{names[3]}").read_bytes()
    last = client.download_artifacts(run.info.run_id, run.data.tags["checkpoint.last"])
    assert Path(last).read_text() == f"weights of trial 3 at {BUDGET}"
    best = client.download_artifacts(run.info.run_id, run.data.tags["checkpoint.best"])
    assert Path(best).read_text() == f"weights of trial 3 at {run.data.metrics['best.images']:.0f}"
    assert "checkpoint.last" not in runs_in(home)["trial 2"].data.tags  # a rung keeps the best alone
    assert len(client.list_artifacts(run.info.run_id, "images")) == 2 * BUDGET // EVERY


@pytest.mark.slow  # the fixture's database takes seconds
def test_the_report_and_its_figures_are_artifacts_of_the_sweeps_run(home: Path) -> None:
    client, run = mlflow_client(home), runs_in(home)["clothes"]
    page = Path(client.download_artifacts(run.info.run_id, "report/report.html")).read_text()
    assert "is the best so far, and not confirmed" in page
    names = {Path(each.path).name for each in client.list_artifacts(run.info.run_id, "report/figures")}
    assert {"ends.svg", "learning-curves.svg", "budget.svg", "parallel.svg"} <= names


@pytest.mark.slow
def test_nothing_but_mlflow_sees_it(tmp_path: Path) -> None:
    """No word of MLflow or alembic on the screen, no ./mlruns, no torch: in a process of its own."""
    sweep = Sweep(tmp_path / "home")
    sweep.trial(0)
    sweep.whole(0, images=EVERY)
    script = f"""
import sys
from pathlib import Path
from pipeline.tracking.tracker import Tracker, default_uri
assert "mlflow" not in sys.modules
tracker = Tracker(Path({str(sweep.folder)!r}), default_uri(Path({str(tmp_path / "home")!r})))
tracker.start()
left = tracker.close(120)
assert (left, tracker.error) == (0, None), (left, tracker.error)
assert "torch" not in sys.modules
"""
    empty = tmp_path / "elsewhere"
    empty.mkdir()
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r})\n{script}"],
        cwd=empty,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(empty.iterdir()) == []


def test_values_that_are_not_finite(empty_home: Path) -> None:
    """NaN is a point; infinity, which SQL would hold as 1.8e308, is none, and a tag says so."""
    sweep = Sweep(empty_home)
    sweep.trial(0)
    sweep.attempt(0)
    sweep.measurement(0, 4000, fid=math.inf, recall=math.nan)
    sweep.ended(0, "non_finite", {"signal": "finite", "comparison": "<", "threshold": 1.0, "values": []})
    sync(sweep.folder, default_uri(empty_home))
    run = runs_in(empty_home)["trial 0"]
    assert math.isnan(run.data.metrics["recall"])
    assert math.isnan(run.data.metrics["tail.recall"])
    assert not {"fid", "best.fid", "tail.fid", "final.fid"} & run.data.metrics.keys()
    assert run.data.tags["infinite"] == "fid: inf at 4,000 images"
    assert max(p[4] for p in points_in(empty_home)) < 1e300


def test_a_run_that_ended_before_it_could_be_evaluated_keeps_its_tail(empty_home: Path) -> None:
    sweep = Sweep(empty_home)
    sweep.trial(0)
    sweep.attempt(0)
    for images, fid in ((4000, 9.0), (8000, 8.0), (12000, 8.5)):
        sweep.measurement(0, images, fid=fid)
    last = {"images": 12500, "metrics": {}, "signals": {"finite": 0.0}, "seconds": 30.0}
    sweep.record.append("measurement", trial=0, seed=SEED, attempt=0, **last)
    sweep.ended(0, "non_finite")
    sync(sweep.folder, default_uri(empty_home))
    found = runs_in(empty_home)["trial 0"].data.metrics
    assert (found["tail.fid"], found["final.fid"], found["best.fid"], found["best.images"]) == (8.5, 8.5, 8.0, 8000)


def test_a_seed_that_collapsed_is_worse_than_any_wherever_it_is_told(empty_home: Path) -> None:
    """Of seeds at 10, 12 and 5, the last of which collapsed, a trial is worth 12, and not 10."""
    sweep = Sweep(empty_home)
    sweep.trial(0)
    for seed, fid, reason in ((SEED, 10.0, "completed"), (11, 12.0, "completed"), (12, 5.0, "collapsed")):
        sweep.attempt(0, seed)
        for images in (EVERY, 2 * EVERY, 3 * EVERY):
            sweep.measurement(0, images, seed, fid=fid + images / EVERY)
        sweep.ended(0, reason, {}, seed)
    sync(sweep.folder, default_uri(empty_home))
    state = SweepState.fold(read(sweep.folder / "events.jsonl")[0], sweep.folder)
    expected = {"tail": 14.0, "best": 13.0, "final": 15.0}
    summary, told = state.trials[0].summary("fid"), trial_outcome(state.trials[0], "fid")
    assert told is not None
    assert told.value == expected["tail"]
    assert {name: getattr(summary, name)["fid"] for name in expected} == expected
    found = runs_in(empty_home)["trial 0"].data.metrics
    assert {name: found[f"{name}.fid"] for name in expected} == expected
    assert (found["tail_lowest.fid"], found["tail_highest.fid"]) == (7.0, 14.0)
    document = status_document(state, sweep.folder, {}, 0)["trials"][0]
    assert {name: document[name]["fid"] for name in expected} == expected
    (row,) = trial_rows(state)
    assert {name: row[name] for name in expected} == expected
    assert "| 14 (5.60 floors) | 13 at 4,000 | completed |" in leaderboard(state, 5000)
    assert any(line.endswith("5.6 floors, the median of 3 seeds") for line in lines_of(state))


def test_seeds_without_any_measurement_are_ends_all_the_same(empty_home: Path) -> None:
    sweep = Sweep(empty_home)
    sweep.trial(0)
    for seed in (SEED, 11):
        sweep.attempt(0, seed)
        sweep.ended(0, "crashed", {"error": "no data"}, seed)
    sync(sweep.folder, default_uri(empty_home))
    runs = runs_in(empty_home)
    assert [runs[name].info.status for name in ("trial 0", "trial 0 seed 11")] == ["FAILED", "FAILED"]
    assert runs["trial 0"].data.metrics == {"seeds": 2}


def test_a_picture_that_is_gone_is_told_and_holds_nothing_up(empty_home: Path) -> None:
    sweep = Sweep(empty_home)
    sweep.trial(0)
    sweep.whole(0, images=2 * EVERY)
    gone = next(sweep.folder.glob("trials/0/*/samples/*4000.png"))
    gone.unlink()
    assert sync(sweep.folder, default_uri(empty_home)) > 0
    assert f"missing.samples/{gone.name}" in runs_in(empty_home)["trial 0"].data.tags


def test_a_resumed_measurement_that_the_record_has_already_is_not_sent(empty_home: Path) -> None:
    sweep = Sweep(empty_home)
    sweep.trial(0)
    sweep.attempt(0)
    sweep.measurement(0, 4000)
    sweep.measurement(0, 4000, fid=99.0)
    sync(sweep.folder, default_uri(empty_home))
    assert [p[4] for p in points_in(empty_home) if p[1] == "fid"] != [99.0]
    assert sum(p[1] == "fid" for p in points_in(empty_home)) == 1


@pytest.mark.slow
def test_the_database_survives_two_that_make_it_at_once(tmp_path: Path) -> None:
    for name in ("one", "two"):
        sweep = Sweep(tmp_path, name)
        sweep.trial(0)
        sweep.whole(0, images=EVERY)
    script = """
import sys
from pathlib import Path
from pipeline.tracking.tracker import default_uri, sync
folder = Path(sys.argv[1])
sync(folder, default_uri(folder.parent))
"""
    root = Path(__file__).resolve().parents[2]
    started: list[subprocess.Popen[Any]] = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path / name)], cwd=root) for name in ("one", "two")
    ]
    assert [process.wait(timeout=120) for process in started] == [0, 0]
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        assert database.execute("select count(*) from runs").fetchone() == (4,)
