"""A home that was moved or copied: its own database and the artifacts beside it, on a real MLflow database."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.tracking.mlflow.client import connect, make_way
from pipeline.tracking.mlflow.location import artifact_root, default_uri, of_home, settled
from pipeline.tracking.mlflow.moved import relocate

ROOT = Path(__file__).resolve().parents[2]


def home_with_runs(home: Path) -> None:
    """A home's database with an experiment of ours, one of somebody else, and a file of a run of each."""
    home.mkdir(parents=True)
    uri = default_uri(home)
    client = connect(uri)
    root = artifact_root(uri)
    assert root is not None
    for name, tags in (("my sweep", {"gansweep.id": "x"}), ("theirs", {})):
        place = root / name if tags else home.parent / "their artifacts" / name
        experiment = client.create_experiment(name, place.as_uri(), tags)
        run = client.create_run(experiment)
        client.log_text(run.info.run_id, "hello", "note.txt")


@pytest.fixture(scope="module")
def former(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home as another process left it: MLflow remembers for a process's life where a run's artifacts are."""
    home = tmp_path_factory.mktemp("former") / "old home"
    code = "import sys; from pathlib import Path; from tests.tracking.test_moved import home_with_runs as make; "
    subprocess.run([sys.executable, "-c", f"{code}make(Path(sys.argv[1]))", home], cwd=ROOT, check=True)
    return home


def read_back(home: Path, name: str) -> str:
    client = connect(default_uri(home))
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    run = client.search_runs([experiment.experiment_id])[0]
    client.log_text(run.info.run_id, "again", "more.txt")
    return Path(client.download_artifacts(run.info.run_id, "note.txt")).read_text()


@pytest.mark.parametrize("new", ["new place", "100%_of it", "deep/er/home"])
def test_artifacts_follow_a_home_that_is_elsewhere(tmp_path: Path, former: Path, new: str) -> None:
    """Moved or copied: the former place, which may be there still, is left alone."""
    before = sorted(former.rglob("*"))
    shutil.copytree(former, tmp_path / new)
    relocate(tmp_path / new / "mlflow.db")
    with sqlite3.connect(tmp_path / new / "mlflow.db") as connection:
        places = [place for (place,) in connection.execute("SELECT artifact_uri FROM runs ORDER BY artifact_uri")]
        places += [place for (place,) in connection.execute("SELECT artifact_location FROM experiments")]
    here = (tmp_path / new / "mlartifacts" / "my sweep").as_uri()
    assert sum(place.startswith(here) for place in places) == 2
    assert sum("their%20artifacts" in place for place in places) == 2  # lie where they were
    assert not any("old%20home" in place for place in places)
    assert sorted(former.rglob("*")) == before


def test_a_run_of_a_home_that_is_elsewhere_is_read_and_written_there(tmp_path: Path, former: Path) -> None:
    shutil.copytree(former, tmp_path / "new")
    assert read_back(tmp_path / "new", "my sweep") == "hello"
    assert list((tmp_path / "new" / "mlartifacts").rglob("more.txt"))
    assert not list(former.rglob("more.txt"))


def test_what_is_no_database_of_mlflow_is_left(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    relocate(file)
    assert not file.exists()
    sqlite3.connect(file).execute("CREATE TABLE other (x)")
    before = file.read_bytes()
    relocate(file)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("uri", "kept", "later"),
    [
        ("sqlite:///{old}/mine.db", "sqlite:///{{home}}/mine.db", "sqlite:///{new}/mine.db"),
        ("sqlite:///{old}/deep/mine.db", "sqlite:///{{home}}/deep/mine.db", "sqlite:///{new}/deep/mine.db"),
        ("sqlite:////team/mlflow.db", "sqlite:////team/mlflow.db", "sqlite:////team/mlflow.db"),
        ("http://host:5000", "http://host:5000", "http://host:5000"),
        ("https://me:secret@host/path", "https://host/path", "https://host/path"),
    ],
)
def test_a_trackers_address_is_kept_by_its_home(uri: str, kept: str, later: str, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    found = settled(uri.format(old=old), old)
    assert found == kept.format()
    assert of_home(found, new) == later.format(new=new)


def test_a_relative_address_is_absolute_from_the_launch_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert settled("sqlite:///runs.db", Path("/elsewhere")) == f"sqlite:///{tmp_path}/runs.db"
    assert settled("sqlite:///~/runs.db", Path("/elsewhere")) == "sqlite:////home/me/runs.db"


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give a file to somebody else")
def test_an_artifact_that_another_user_wrote_is_replaced_and_not_written_over(home: Path, tmp_path: Path) -> None:
    """MLflow sets the times of the files that it copies, which only their owner may: of a shared home that was moved,
    another user sends all of it again."""
    copied = tmp_path / "a home"
    shutil.copytree(home, copied)
    ours, theirs = sorted((copied / "mlartifacts").rglob("*.png"))[:2]
    os.chown(theirs, 12345, -1)
    make_way(copied.as_uri(), [str(each.relative_to(copied)) for each in (ours, theirs)])
    assert ours.exists()
    assert not theirs.exists()
    make_way("s3://elsewhere", [str(ours)])
    assert ours.exists()
