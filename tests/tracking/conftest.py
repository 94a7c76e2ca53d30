"""Homes of sweeps: with an empty database (made once: it takes seconds), and with a finished sweep sent."""

import shutil
from pathlib import Path

import pytest

from pipeline.tracking.mlflow.client import connect
from pipeline.tracking.tracker import default_uri, sync
from tests.tracking.realistic import finished


@pytest.fixture(scope="session")
def _empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("empty")
    connect(default_uri(home))
    return home / "mlflow.db"


@pytest.fixture
def empty_home(_empty_database: Path, tmp_path: Path) -> Path:
    shutil.copy(_empty_database, tmp_path / "mlflow.db")
    return tmp_path


@pytest.fixture(scope="session")
def home(_empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished sweep "clothes", sent once; the tests that use it change nothing."""
    home = tmp_path_factory.mktemp("home")
    shutil.copy(_empty_database, home)
    sync(finished(home).folder, default_uri(home))
    return home
