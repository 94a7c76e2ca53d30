"""MLflow's client as the projection needs it: quiet, every call to be repeated safely. mlflow is imported when used."""

from __future__ import annotations

import fcntl
import getpass
import json
import logging
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from pipeline import durable
from pipeline.tracking.content import View
from pipeline.tracking.files import Upload
from pipeline.tracking.mlflow.credentials import to_mlflow
from pipeline.tracking.mlflow.location import artifact_root, database
from pipeline.tracking.mlflow.moved import relocate
from pipeline.tracking.projection import PICK, SWEEP, Key, Point

if TYPE_CHECKING:
    from mlflow import MlflowClient

POINTS, PARAMS, TAGS = 1000, 100, 100  # what MLflow takes in one call
TABLES = "mlflow.loggedArtifacts"  # the tag by which MLflow's page knows an artifact as a table

log = logging.getLogger(__name__)

# The client's own retries are off: it would repeat "create a run" after an answer was lost, and make two.
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_PRINT_MODEL_URLS_ON_CREATION": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}


def connect(uri: str) -> MlflowClient:
    """A client of the tracker; makes the SQLite database where there is none. Takes seconds: it imports mlflow."""
    os.environ.update(QUIET)
    to_mlflow()
    for name in ("mlflow", "alembic"):  # no handler of ours: Python's own last resort would print to the screen
        logging.getLogger(name).addHandler(logging.NullHandler())
    logging.captureWarnings(True)
    file = database(uri)
    if file is None:
        from mlflow import MlflowClient

        return MlflowClient(uri)
    file.parent.mkdir(parents=True, exist_ok=True)
    with locked(file.with_name(f"{file.name}.lock")):  # two that make it at once would break it for good
        from mlflow import MlflowClient

        if not file.exists() or not file.stat().st_size:
            _make(file)
        relocate(file)
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
    return client


def _make(file: Path) -> None:
    """The database with MLflow's tables, whole or not at all: where a full disk or a kill ends its migrations half-way,
    nobody can open it any more."""
    from mlflow import MlflowClient

    for left in file.parent.glob(f".{file.name}.*.making*"):  # of one that was killed: we hold the lock
        left.unlink()
    # a name of its own each time: MLflow keeps what it has open by it
    making = file.absolute().with_name(f".{file.name}.{uuid.uuid4().hex}.making")
    MlflowClient(f"sqlite:///{making}").search_experiments(max_results=1)
    durable.replace(making, file)


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[bool]:
    """Holds the lock on `path`, which ends with its process; False, unless it is to `wait`, if another one has it.

    By flock itself: filelock empties the file, in which the tracker writes whose it is.
    """
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


class MlflowRuns:
    """The MLflow runs of one sweep, found by their tags."""

    def __init__(self, uri: str, name: str, sweep: str, experiment: str | None = None) -> None:
        """sweep: its identity; experiment: the id that it had, in case somebody renamed it. An experiment of another
        sweep of this name is left to that one."""
        self.client = connect(uri)
        self.name, self.sweep = name, sweep
        self.experiment = self._experiment(uri, experiment)
        self.ids: dict[Key, str] = {}
        self._artifacts: dict[str, str] = {}  # where a run's are
        token = None
        while True:
            page = self.client.search_runs(
                [self.experiment], f"tags.`gansweep.id` = '{sweep}'", max_results=1000, page_token=token
            )
            for run in page:
                tags = run.data.tags
                trial = int(tags["gansweep.trial"]) if "gansweep.trial" in tags else None
                seed = int(tags["gansweep.seed"]) if tags["gansweep.kind"] == "seed" else None
                self.ids[trial, seed] = run.info.run_id
            token = page.token
            if not token:
                break
        self._sent: dict[Key, View] = {}
        self._described: dict[str, str] = {}
        self._with_grid: set[str] = set()

    def _experiment(self, uri: str, known: str | None) -> str:
        from mlflow.exceptions import MlflowException

        if known is not None:
            try:
                experiment = self.client.get_experiment(known)
                if experiment.lifecycle_stage == "active" and experiment.tags.get("gansweep.id") == self.sweep:
                    return known
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
        for name in (self.name, f"{self.name} ({self.sweep[:8]})"):  # the second: somebody deleted the first one
            its = self.client.get_experiment_by_name(name)
            if its is None:
                root = artifact_root(uri)
                location = None if root is None else (root / name).as_uri()
                tags = {"gansweep.id": self.sweep, "mlflow.experimentKind": "custom_model_development"}
                return str(self.client.create_experiment(name, location, tags))
            if its.lifecycle_stage == "active" and its.tags.get("gansweep.id", self.sweep) == self.sweep:
                return str(its.experiment_id)
        raise RuntimeError(f"the experiments {self.name} and {name} were deleted; restore one with mlflow experiments")

    def send(self, key: Key, view: View, points: list[Point]) -> None:
        """Brings one run to what `view` says and adds `points`; sent again, it changes nothing."""
        from mlflow.entities import Metric, Param, RunTag

        run_id = self.ids.get(key) or self._create(key, view)
        before = self._sent.get(key)
        fresh = view.params if before is None else {k: v for k, v in view.params.items() if k not in before.params}
        tags = view.tags if before is None else {k: v for k, v in view.tags.items() if before.tags.get(k) != v}
        params = [Param(name, value) for name, value in fresh.items()]
        marks = [RunTag(name, value) for name, value in tags.items()]
        while params or marks:
            self.client.log_batch(run_id, params=params[:PARAMS], tags=marks[:TAGS])
            params, marks = params[PARAMS:], marks[TAGS:]
        for start in range(0, len(points), POINTS):
            part = points[start : start + POINTS]
            self.client.log_batch(run_id, metrics=[Metric(p.name, p.value, p.time, p.step) for p in part])
        if before is None or (before.status, before.ended) != (view.status, view.ended):
            if view.ended is not None:
                self.client.set_terminated(run_id, view.status, view.ended)
            else:
                self.client.update_run(run_id, view.status)
        self._sent[key] = view

    def _create(self, key: Key, view: View) -> str:
        tags = {
            "gansweep.id": self.sweep,
            "gansweep.sweep": self.name,
            "gansweep.kind": {SWEEP: "sweep", PICK: "pick"}.get(key, "trial" if key[1] is None else "seed"),
            "mlflow.user": _user(),
            "mlflow.source.name": "gansweep",
            "mlflow.source.type": "LOCAL",
        }
        if key[0] is not None:
            tags["gansweep.trial"] = str(key[0])
        if key[1] is not None:
            tags["gansweep.seed"] = str(key[1])
        if view.parent is not None:
            tags["mlflow.parentRunId"] = self.ids[view.parent]
        run = self.client.create_run(self.experiment, view.started, tags, view.name)
        self.ids[key] = str(run.info.run_id)
        return self.ids[key]

    def describe(self, note: str, tags: dict[str, str]) -> None:
        """The experiment's own description, and other tags of it."""
        for name, value in {"mlflow.note.content": note, **tags}.items():
            if self._described.get(name) != value:
                self.client.set_experiment_tag(self.experiment, name, value)
                self._described[name] = value

    def upload(self, upload: Upload) -> None:
        """Sends a file, over the one that may be there; where there is none to send, a tag says so."""
        run_id, path, folder = self.ids[upload.key], upload.path, upload.folder or None
        inside = [each.relative_to(path) for each in path.rglob("*")] if path.is_dir() else [Path()]
        self._make_way(run_id, [str(Path(upload.name, each)) for each in inside])
        if upload.text is not None:
            self.client.log_text(run_id, upload.text, upload.name)
        elif path.is_dir():
            self.client.log_artifacts(run_id, str(path), upload.name)
        elif path.exists():
            self.client.log_artifact(run_id, str(path), folder)
        else:
            log.warning("%s is not there to be sent to MLflow", path)
            self.client.set_tag(run_id, f"missing.{upload.name}", "the file was gone when it was to be sent")
            return
        if upload.tag:
            self.client.set_tag(run_id, upload.tag, upload.name)
        if upload.table:
            self.client.set_tag(run_id, TABLES, json.dumps([{"path": upload.name, "type": "table"}]))
        if upload.at:
            self._add_to_grid(run_id, path, *upload.at)

    def _make_way(self, run_id: str, names: list[str]) -> None:
        if run_id not in self._artifacts:
            self._artifacts[run_id] = str(self.client.get_run(run_id).info.artifact_uri)
        make_way(self._artifacts[run_id], names)

    def _add_to_grid(self, run_id: str, path: Path, images: int, time: int) -> None:
        """The picture once more, under the name by which MLflow's image grid finds it and its budget. MLflow's own
        log_image ends the name in a random part: sent again, the picture would be there twice."""
        from PIL import Image

        with tempfile.TemporaryDirectory() as scratch, Image.open(path) as picture:
            name = f"samples+step+{images}+timestamp+{time}+grid"
            shutil.copy(path, Path(scratch, f"{name}.png"))
            picture.save(Path(scratch, f"{name}+compressed.webp"), lossless=True, method=0)
            self._make_way(run_id, [f"images/{each.name}" for each in Path(scratch).iterdir()])
            self.client.log_artifacts(run_id, scratch, "images")
        if run_id not in self._with_grid:
            self.client.set_tag(run_id, "mlflow.loggedImages", "True")
            self._with_grid.add(run_id)


def make_way(place: str, names: list[str]) -> None:
    """Removes what another user of a shared home has written at these names, where artifacts are files: MLflow sets the
    times of what it copies, which only a file's owner may."""
    url = urlparse(place)
    if url.scheme not in ("", "file"):
        return
    for name in names:
        path = Path(unquote(url.path), name)
        with suppress(OSError):
            if path.is_file() and path.stat().st_uid != os.getuid():
                path.unlink()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())
