"""Reading back what a tracker holds: with MLflow's client, and straight from its SQLite file."""

import logging
import sqlite3
from pathlib import Path
from typing import Any

from pipeline.tracking.tracker import default_uri

Point = tuple[str, str, int, int, float, int]


def mlflow_client(home: Path) -> Any:
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    return MlflowClient(default_uri(home))


def runs_in(home: Path) -> dict[str, Any]:
    """All MLflow runs of all experiments by name; two of one name are an error."""
    client = mlflow_client(home)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, max_results=1000)
    names = [run.info.run_name for run in runs]
    assert len(names) == len(set(names)), sorted(names)
    return dict(zip(names, runs, strict=True))


def points_in(home: Path) -> list[Point]:
    """(run id, name, ms, step, value, is_nan) of every point."""
    with sqlite3.connect(home / "mlflow.db") as database:
        return database.execute("select run_uuid, key, timestamp, step, value, is_nan from metrics").fetchall()
