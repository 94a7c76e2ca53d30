"""A team's cluster: three nodes that share no folder, the sweep in a bucket, MLflow's server on PostgreSQL and S3;
Fashion-MNIST, 12 trials.

pytest tests/benchmarks/team.py: four to five minutes, too long for the suite."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.record.state import SweepState
from pipeline.storage.storage import Storage, opened
from pipeline.tracking.mlflow.server import SERVER
from tests import postgres, s3
from tests.hosts import STORE
from tests.integration.command import TINY, Done, gansweep, state_of
from tests.integration.test_cluster import all_there, may_mount, on_a_disk_of_its_own
from tests.tracking.servers import answers, free_port, stop, until

pytestmark = [pytest.mark.slow, pytest.mark.cluster]
NAME, NODES, TRIALS = "team", 3, 12


@dataclass
class Story:
    run: Done
    pick: Done
    state: SweepState
    bucket: Storage
    client: Any


@contextmanager
def mlflow_server(database: str, server: s3.S3, folder: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "2"]
    command += ["--backend-store-uri", database, "--artifacts-destination", f"s3://{s3.BUCKET}/mlflow"]
    environment = {**os.environ, **SERVER, "MLFLOW_S3_ENDPOINT_URL": server.endpoint}
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}"))
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process.pid)


def client_of(uri: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(uri)


@contextmanager
def nodes(home: Path) -> Iterator[str]:
    """Three with a CPU each, which see another disk where the driver has its home; and a head that trains nothing."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE}
    made = Cluster(initialize_head=True, head_node_args=head)
    started = []
    try:
        for number in range(NODES):
            started.append(on_a_disk_of_its_own(made.address, home))
            all_there(made, number + 2)
        yield made.address
    finally:
        for each in started:
            for process in [*psutil.Process(each.pid).children(recursive=True), psutil.Process(each.pid)]:
                with suppress(psutil.Error):
                    process.kill()
            each.wait()
        made.shutdown()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, data_root: Path) -> Iterator[Story]:
    if not may_mount():
        pytest.skip("nodes with a disk of their own want root that may mount")
    if postgres.programs() is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    for module in ("psycopg2", "boto3"):
        pytest.importorskip(module, reason="of the extra: pip install -e .[cluster] -c constraints.txt")
    home = tmp_path_factory.mktemp("home")
    with ExitStack() as stack:
        server = stack.enter_context(s3.running())
        database = stack.enter_context(postgres.running())
        uri = stack.enter_context(mlflow_server(database, server, tmp_path_factory.mktemp("mlflow")))
        address = stack.enter_context(nodes(home))
        where = ("--storage", server.url)
        there = ("--address", address, "--tracking-uri", uri, *where)
        small = ("--set", "data.limit=4000", "--set", "data.resolution=16", "--data-root", str(data_root))
        sweep = ("fashion_mnist", *TINY, *small, "--seed", "3", "--trials", str(TRIALS), "--name", NAME)
        run = gansweep(home, "run", *sweep, *there)
        pick = gansweep(home, "pick", NAME, "--top", "2", "--seeds", "2", *where)
        assert gansweep(home, "sync", NAME).code == 0  # what MLflow had not taken in time
        bucket = opened(f"{server.url}/{NAME}")
        yield Story(run, pick, state_of(home, NAME), bucket, client_of(uri))


def test_all_trials_land_on_nodes_that_share_nothing(story: Story) -> None:
    assert story.run.code == 0, story.run.err
    assert len(story.state.trials) == TRIALS
    assert all(run.end_reason for run in story.state.runs)
    names = set(story.bucket.names("trials"))
    for run in story.state.runs:
        place = f"trials/{run.trial}/seed-{run.seed}"
        assert {f"{place}/{m.samples}" for m in run.measurements if m.samples} <= names


def test_mlflow_has_the_runs_with_what_lies_on_no_disk_of_the_driver(story: Story) -> None:
    (experiment,) = [each for each in story.client.search_experiments() if each.name == NAME]
    runs = story.client.search_runs([experiment.experiment_id], max_results=1000)
    trials = [each for each in runs if each.data.tags["gansweep.kind"] == "trial"]
    assert len(trials) == TRIALS
    assert not [tag for each in runs for tag in each.data.tags if tag.startswith("missing.")]
    for each in trials:
        if "tail.fid" in each.data.metrics:
            there = [file.path for file in story.client.list_artifacts(each.info.run_id)]
            assert {"samples", "checkpoints"} <= set(there)


def test_the_pick_is_registered_as_the_champion(story: Story) -> None:
    assert story.pick.code == 0, story.pick.err
    (model,) = story.client.search_registered_models()
    assert model.name == NAME
    assert story.client.get_model_version_by_alias(NAME, "champion").version
