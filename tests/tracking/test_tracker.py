"""The tracker against trackers that come, go and never were: nothing is lost, nothing doubles, nothing is raised."""

import itertools
import json
import math
import shutil
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import GansweepError, InputError, Unreachable
from pipeline.record.lock import Lock
from pipeline.tracking import projector
from pipeline.tracking import tracker as tracking
from pipeline.tracking.mlflow.client import locked
from pipeline.tracking.tracker import LOCK, Tracker, default_uri, run_ids, sync, ui
from tests.tracking.reading import points_in, runs_in
from tests.tracking.realistic import EVERY, SEED, Sweep, finished, small
from tests.tracking.servers import answers, free_port, server, stop, until


def once(home: Path, sweep: Sweep) -> None:
    """Every measurement of the record is in the tracker exactly once, and every trial is one run."""
    text = (sweep.folder / "events.jsonl").read_text()
    points = points_in(home)
    assert sum(p[1] == "fid" for p in points) == text.count('"event": "measurement"')
    assert len({p[:4] for p in points}) == len(points)
    assert len(runs_in(home)) == 1 + text.count('"event": "trial"')


def test_a_tracker_sends_what_a_record_gets(empty_home: Path) -> None:
    sweep = small(empty_home)
    tracker = Tracker(sweep.folder, default_uri(empty_home))
    assert tracker.backlog() > 0
    tracker.start()
    until(lambda: tracker.backlog() == 0)
    sweep.measurement(2, 2 * EVERY)
    sweep.ended(2, "completed")
    sweep.driver("finished")
    assert tracker.close(60) == 0
    assert tracker.error is None
    once(empty_home, sweep)
    assert runs_in(empty_home)["clothes"].info.status == "FINISHED"


def test_what_was_sent_is_not_sent_again_and_without_memory_all_is(empty_home: Path) -> None:
    sweep, uri = small(empty_home), default_uri(empty_home)
    lines = len((sweep.folder / "events.jsonl").read_text().splitlines())
    assert sync(sweep.folder, uri) == lines
    assert sync(sweep.folder, uri) == 0
    ids, points = run_ids(sweep.folder), points_in(empty_home)
    (sweep.folder / "tracking.json").unlink()
    assert sync(sweep.folder, uri) == lines
    assert run_ids(sweep.folder) == ids
    assert sorted(points_in(empty_home)) == sorted(points)
    once(empty_home, sweep)


def test_nan_sent_again_is_one_point(empty_home: Path) -> None:
    sweep, uri = Sweep(empty_home), default_uri(empty_home)
    sweep.trial(0)
    sweep.attempt(0)
    sweep.measurement(0, EVERY, recall=float("nan"))
    for _ in range(2):
        sync(sweep.folder, uri)
        (sweep.folder / "tracking.json").unlink()
    assert sum(p[1] == "recall" for p in points_in(empty_home)) == 1


def test_interrupted_anywhere_it_goes_on(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kind of call fails its 1st, 4th, 9th, ... time, by turns after and before it took effect."""
    from mlflow import MlflowClient

    sweep = small(empty_home)
    monkeypatch.setattr(projector, "BATCH", 3)
    monkeypatch.setattr(tracking, "POLL", 0.01)
    failures: list[str] = []

    def breaking(real: Callable[..., object]) -> Callable[..., object]:
        numbers = itertools.count(1)

        def call(*args: object, **kwargs: object) -> object:
            number = next(numbers)
            root = math.isqrt(number)
            if root**2 != number:
                return real(*args, **kwargs)
            if root % 2:
                real(*args, **kwargs)
            failures.append(real.__name__)
            raise ConnectionError("the line broke")

        return call

    names = ("create_run", "log_batch", "set_terminated", "set_tag", "log_artifact", "set_experiment_tag")
    for name in names:
        monkeypatch.setattr(MlflowClient, name, breaking(getattr(MlflowClient, name)))
    for _ in range(500):
        try:
            sync(sweep.folder, default_uri(empty_home))
            break
        except Unreachable:
            continue
    monkeypatch.undo()
    assert set(failures) == set(names)
    assert sync(sweep.folder, default_uri(empty_home)) == 0
    once(empty_home, sweep)


def test_a_connection_that_is_dropped_now_and_then_does_not_end_a_sync(
    empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy server's. One that is dropped each time does, in seconds."""
    from mlflow import MlflowClient

    sweep, real, calls = small(empty_home), MlflowClient.log_batch, itertools.count(1)
    monkeypatch.setattr(tracking, "POLL", 0.01)

    def now_and_then(*args: object, **kwargs: object) -> object:
        if next(calls) in (2, 5):
            raise ConnectionError("the line broke")
        return real(*args, **kwargs)  # type: ignore[arg-type]

    def never(*_: object, **__: object) -> None:
        next(calls)
        raise ConnectionError("the line broke")

    monkeypatch.setattr(MlflowClient, "log_batch", now_and_then)
    assert sync(sweep.folder, default_uri(empty_home)) > 0
    assert next(calls) > 5
    monkeypatch.undo()
    once(empty_home, sweep)
    (sweep.folder / "tracking.json").unlink()
    monkeypatch.setattr(tracking, "POLL", 0.01)
    monkeypatch.setattr(MlflowClient, "log_batch", never)
    with pytest.raises(Unreachable, match="the line broke"):
        sync(sweep.folder, default_uri(empty_home))


def test_another_tracker_gets_everything(empty_home: Path) -> None:
    elsewhere = empty_home / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(empty_home / "mlflow.db", elsewhere)
    sweep = small(empty_home)
    sync(sweep.folder, default_uri(empty_home))
    assert sync(sweep.folder, default_uri(elsewhere)) > 0
    once(elsewhere, sweep)


def test_a_run_deleted_in_mlflow_is_made_again(empty_home: Path) -> None:
    from mlflow import MlflowClient

    sweep, uri = small(empty_home), default_uri(empty_home)
    sync(sweep.folder, uri)
    MlflowClient(uri).delete_run(run_ids(sweep.folder)[1, None])
    sync(sweep.folder, uri)
    assert sorted(runs_in(empty_home)) == ["clothes", "trial 0", "trial 1", "trial 2"]


def test_another_sweep_of_the_same_name_gets_runs_of_its_own(empty_home: Path) -> None:
    uri = default_uri(empty_home)
    first = small(empty_home)
    sync(first.folder, uri)
    ids = set(run_ids(first.folder).values())
    shutil.move(first.folder, empty_home / "old")
    second = small(empty_home)
    sync(second.folder, uri)
    assert not ids & set(run_ids(second.folder).values())


def test_run_ids_name_a_trials_first_run_twice(empty_home: Path) -> None:
    sweep = Sweep(empty_home)
    assert run_ids(sweep.folder) == {}
    sweep.trial(0)
    sweep.attempt(0)
    sweep.attempt(0, seed=11)
    sync(sweep.folder, default_uri(empty_home))
    found = run_ids(sweep.folder)
    assert found.keys() == {(0, None), (0, SEED), (0, 11)}
    assert found[0, None] == found[0, SEED] != found[0, 11]


def test_nothing_stays_running_after_the_driver(empty_home: Path) -> None:
    sweep, uri = small(empty_home), default_uri(empty_home)
    sweep.trial(3)

    def status() -> dict[str, str]:
        return {name: run.info.status for name, run in runs_in(empty_home).items()}

    tracker = Tracker(sweep.folder, uri)
    tracker.start()
    until(lambda: tracker.backlog() == 0)
    assert status() == {
        "clothes": "RUNNING",
        "trial 0": "FINISHED",
        "trial 1": "FINISHED",
        "trial 2": "RUNNING",
        "trial 3": "SCHEDULED",
    }
    assert tracker.close(60) == 0
    sync(sweep.folder, uri)  # no word of the driver's end, and none is at work: it was killed
    assert [status()[name] for name in ("clothes", "trial 2", "trial 3")] == ["KILLED"] * 3
    sweep.driver("started")
    tracker = Tracker(sweep.folder, uri)
    tracker.start()
    until(lambda: tracker.backlog() == 0)
    assert [status()[name] for name in ("clothes", "trial 2", "trial 3")] == ["RUNNING", "RUNNING", "SCHEDULED"]
    sweep.driver("interrupted")
    assert tracker.close(60) == 0
    assert [status()[name] for name in ("clothes", "trial 2", "trial 3")] == ["KILLED"] * 3


def test_while_a_driver_sends_nobody_else_does(empty_home: Path) -> None:
    sweep = small(empty_home)
    driver = Lock(sweep.folder)
    driver.acquire()
    with locked(sweep.folder / LOCK), pytest.raises(GansweepError, match="is running and sends"):
        sync(sweep.folder, default_uri(empty_home))
    driver.release()
    with locked(sweep.folder / LOCK):
        tracker = Tracker(sweep.folder, default_uri(empty_home))
        tracker.start()
        until(lambda: tracker.error is not None)
        assert "another process" in str(tracker.error)
        assert tracker.close(1) == tracker.backlog() > 0


def test_what_a_killed_drivers_tracker_still_holds_is_waited_for(empty_home: Path) -> None:
    sweep = small(empty_home)
    holds, ends = threading.Event(), threading.Event()

    def sender() -> None:
        with locked(sweep.folder / LOCK):
            holds.set()
            ends.wait(60)

    thread = threading.Thread(target=sender)
    thread.start()
    holds.wait(60)
    threading.Timer(0.5, ends.set).start()
    assert sync(sweep.folder, default_uri(empty_home)) > 0
    thread.join()
    once(empty_home, sweep)


def test_a_tracker_that_is_never_there_only_grows_a_backlog(tmp_path: Path) -> None:
    sweep = small(tmp_path)
    tracker = Tracker(sweep.folder, f"http://127.0.0.1:{free_port()}")
    tracker.start()
    until(lambda: tracker.error is not None)
    sweep.ended(2, "completed")
    lines = len((sweep.folder / "events.jsonl").read_text().splitlines())
    assert tracker.close(2) == lines
    assert "\n" not in str(tracker.error)


@pytest.mark.slow
def test_a_server_killed_and_started_again_gets_every_point_once(empty_home: Path) -> None:
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    sweep = Sweep(empty_home)
    tracker = Tracker(sweep.folder, uri)
    with server(empty_home, port):
        until(lambda: answers(uri))
        tracker.start()
        for number in range(4):
            sweep.trial(number)
            sweep.whole(number, images=3 * EVERY)
        until(lambda: sum(p[1] == "fid" for p in points_in(empty_home)) > 0)
    for number in range(4, 8):
        sweep.trial(number)
        sweep.whole(number, images=3 * EVERY)
    until(lambda: tracker.error is not None)
    assert tracker.backlog() > 0
    with server(empty_home, port):
        until(lambda: answers(uri))
        sweep.driver("finished")
        assert tracker.close(120) == 0
        assert sync(sweep.folder, uri) == 0
    once(empty_home, sweep)
    pictures = list(empty_home.glob("mlartifacts/**/samples/*.png"))
    assert len(pictures) == 8 * 3


@pytest.mark.slow
def test_the_page_of_a_sweep_comes_from_one_local_server(empty_home: Path) -> None:
    sweep, uri = finished(empty_home, trials=2), default_uri(empty_home)
    with pytest.raises(InputError, match="gansweep sync clothes"):
        ui(empty_home, uri, "clothes")
    sync(sweep.folder, uri)
    address = ui(empty_home, uri, "clothes")
    noted = json.loads((empty_home / "ui.json").read_text())
    try:
        assert address.startswith(f"http://127.0.0.1:{noted['port']}/#/experiments/1/runs?")
        with urllib.request.urlopen(address, timeout=10) as page:
            assert b"MLflow" in page.read()
        assert ui(empty_home, uri).startswith(f"http://127.0.0.1:{noted['port']}/#/experiments")
        assert json.loads((empty_home / "ui.json").read_text()) == noted
        stop(noted["pid"])
        assert ui(empty_home, uri, "clothes") != address
    finally:
        stop(json.loads((empty_home / "ui.json").read_text())["pid"])
