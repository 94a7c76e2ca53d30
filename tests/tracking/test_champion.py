"""The winner's generator in MLflow: a real checkpoint, a real SQLite store, and a process that has no `pipeline`."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline import games
from pipeline.drivers.job import Attempt
from pipeline.errors import Unreachable
from pipeline.games.game import Facts, Progress
from pipeline.picking.verdict import verdict
from pipeline.record.log import read
from pipeline.record.measurement import Measurement
from pipeline.record.state import SweepState
from pipeline.schema.trial import TrialSpec
from pipeline.tracking.tracker import default_uri, run_ids, sync
from pipeline.training.making import sampled
from pipeline.training.store import load
from tests.picking.fake_race import FakeRace, noisy, searched
from tests.sampling.test_generating import checkpoint
from tests.tracking.reading import mlflow_client

pytestmark = pytest.mark.slow

CLASSES = 10
# No module of this project, nor any of its other dependencies, in the process that loads the model.
LOADER = """
import importlib.abc, json, sys

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("pipeline", "ray", "optuna", "torchvision", "torchmetrics", "safetensors"):
            raise ModuleNotFoundError(f"{name} is not installed here")

sys.meta_path.insert(0, Blocked())
import mlflow, numpy

uri, name, inputs, out = sys.argv[1:]
mlflow.set_tracking_uri(uri)
model = mlflow.pyfunc.load_model(f"models:/{name}@champion")
given = dict(numpy.load(inputs))
samples = model.predict(given if len(given) > 1 else given["latent"])
example = model.predict(model.input_example)
assert "pipeline" not in sys.modules
numpy.savez(out, samples=samples, example=example)
json.dump(model.metadata.metadata, sys.stdout)
"""


class Race(FakeRace):
    """Each evaluation leaves a checkpoint, the same one of a real training everywhere."""

    made: Path

    def _measurement(self, job: Attempt, images: int) -> Measurement:
        found = super()._measurement(job, images)
        place = Path(job.folder) / "checkpoints"
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.made, place)
        return replace(found, checkpoint=f"checkpoints/{self.made.name}")


def race(folder: Path, made: Path, **settings: Any) -> SweepState:
    going = Race(folder, **settings)
    going.made = made
    state = going.go()
    going.record.append("driver", doing="pick", session="p", state="finished")
    return state


def picked_home(home: Path, database: Path, conditional: bool) -> Path:
    shutil.copy(database, home)
    searched(home / "fake")
    race(home / "fake", checkpoint(home / "made", conditional))
    sync(home / "fake", default_uri(home))
    return home


@pytest.fixture(scope="module")
def home(_empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return picked_home(tmp_path_factory.mktemp("plain"), _empty_database, conditional=False)


@pytest.fixture(scope="module", params=["plain", "conditional"])
def either(request: pytest.FixtureRequest, home: Path, _empty_database: Path, tmp_path_factory: Any) -> Path:
    if request.param == "plain":
        return home
    return picked_home(tmp_path_factory.mktemp("conditional"), _empty_database, conditional=True)


def copied(home: Path, to: Path) -> Path:
    """A sweep that was not sent to where it is now; its exported model is there already, which spares seconds."""
    shutil.copytree(home / "fake", to / "fake", ignore=shutil.ignore_patterns("tracking*"))
    return to / "fake"


def versions(home: Path, name: str = "fake") -> list[Any]:
    return sorted(mlflow_client(home).search_model_versions(f"name='{name}'"), key=lambda each: int(each.version))


def logged(home: Path) -> list[Any]:
    client = mlflow_client(home)
    return list(client.search_logged_models([each.experiment_id for each in client.search_experiments()]))


def own_samples(home: Path, inputs: dict[str, Any]) -> np.ndarray[Any, Any]:
    """What the checkpoint's own generator makes of the inputs, in this package."""
    content = load(next((home / "made" / "checkpoints").glob("*.pt")))
    spec = TrialSpec.model_validate(content["spec"])
    game = games.build(spec, Facts("image", tuple(content["shape"]), tuple(content["state"]["classes"])), 0)
    game.generator.load_state_dict(content["state"]["ema"])
    fed = {name: torch.from_numpy(values) for name, values in inputs.items()}
    return np.asarray(sampled(game, game.generator, fed, spec, Progress())["samples"])


def test_it_is_loaded_and_samples_without_this_package(either: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    inputs: dict[str, Any] = {"latent": random.standard_normal((600, 6)).astype(np.float32)}
    if either.name.startswith("conditional"):
        inputs["label"] = random.integers(0, CLASSES, 600)
    np.savez(tmp_path / "in.npz", **inputs)
    arguments = (default_uri(either), "fake", str(tmp_path / "in.npz"), str(tmp_path / "out.npz"))
    done = subprocess.run(
        [sys.executable, "-I", "-c", LOADER, *arguments],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "out.npz")
    assert found["samples"].dtype == np.float32
    np.testing.assert_allclose(found["samples"], own_samples(either, inputs), atol=1e-5)
    assert found["example"].shape == (4, 1, 8, 8)
    metadata = json.loads(done.stdout)
    assert (metadata["synthetic"], metadata["software"]) == (True, "gansweep")


def test_the_model_has_a_signature_an_example_and_a_card(either: Path) -> None:
    from mlflow.models import Model

    client, (version,) = mlflow_client(either), versions(either)
    state = SweepState.fold(read(either / "fake" / "events.jsonl")[0])
    best = verdict(state).best
    assert version.tags["gansweep.trial"] == str(best.trial)
    assert int(version.tags["gansweep.seed"]) in best.ends
    (model,) = logged(either)
    assert model.source_run_id == version.run_id == run_ids(either / "fake")[-1, None]
    assert (str(model.status), model.tags["synthetic"]) == ("READY", "true")
    folder = Path(client.get_logged_model(model.model_id).artifact_location.removeprefix("file://"))
    packed = Model.load(folder)
    conditional = either.name.startswith("conditional")
    assert packed.signature.inputs.input_names() == (["latent", "label"] if conditional else [0])
    assert packed.signature.outputs.inputs[0].shape == (-1, 1, 8, 8)
    assert packed.saved_input_example_info is not None
    assert packed.model_id == model.model_id
    card = (folder / "README.md").read_text()
    assert version.description == card
    said = ["synthetic", "Software: gansweep", "fingerprint x", "CC BY 4.0", "## Intended use", "95% interval"]
    said += ["the healthy fresh seed with the median test tail", "none of its 5 fresh seeds failed", "models:/fake@"]
    for part in said:
        assert part in card, part
    texts = [path for path in folder.rglob("*") if path.is_file() and path.suffix in ("", ".md", ".json", ".yaml")]
    assert not any(str(either) in path.read_text() for path in texts)


def test_sent_again_nothing_doubles_and_a_missing_export_is_made_again(home: Path) -> None:
    before = [(each.version, each.description) for each in versions(home)]
    (home / "fake" / "tracking.json").unlink()
    shutil.rmtree(home / "fake" / "models")
    sync(home / "fake", default_uri(home))
    assert [(each.version, each.description) for each in versions(home)] == before
    assert len(logged(home)) == 1
    assert list((home / "fake" / "models").glob("trial-*/MLmodel"))


def test_interrupted_anywhere_it_goes_on(home: Path, empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call that changes something fails its first time, by turns after and before it took effect."""
    from mlflow import MlflowClient

    folder, failures = copied(home, empty_home), list[str]()

    def breaking(real: Callable[..., object], took_effect: bool) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            if real.__name__ in failures:
                return real(*args, **kwargs)
            failures.append(real.__name__)
            if took_effect:
                real(*args, **kwargs)
            raise ConnectionError("the line broke")

        return call

    names = ("create_logged_model", "log_model_artifacts", "finalize_logged_model", "set_logged_model_tags")
    names += ("create_registered_model", "create_model_version", "set_registered_model_alias")  # type: ignore
    for at, name in enumerate(names):
        monkeypatch.setattr(MlflowClient, name, breaking(getattr(MlflowClient, name), at % 2 == 0))
    for _ in names:
        with suppress(Unreachable):  # some tries later
            sync(folder, default_uri(empty_home))
    assert sorted(failures) == sorted(names)
    assert len(versions(empty_home)) == len(logged(empty_home)) == 1
    assert (
        mlflow_client(empty_home).get_model_version_by_alias("fake", "champion").version
        == versions(empty_home)[0].version
    )


def test_another_pick_is_another_version_and_the_champion_is_the_last(home: Path, empty_home: Path) -> None:
    folder, uri = copied(home, empty_home), default_uri(empty_home)
    sync(folder, uri)
    state = SweepState.fold(read(folder / "events.jsonl")[0])
    first, made = verdict(state).best.trial, next((home / "made" / "checkpoints").glob("*.pt"))

    def fails_now(job: Attempt) -> float | None:
        return None if job.trial == first else noisy(job)

    picked = verdict(race(folder, made, score=fails_now, seeds=12)).best
    assert picked.trial != first
    sync(folder, uri)
    old, new = versions(empty_home)
    assert (old.tags["gansweep.trial"], new.tags["gansweep.trial"]) == (str(first), str(picked.trial))
    assert mlflow_client(empty_home).get_model_version_by_alias("fake", "champion").version == new.version


def test_a_name_that_somebody_else_has_is_left_alone(home: Path, empty_home: Path) -> None:
    folder, client = copied(home, empty_home), mlflow_client(empty_home)
    client.create_registered_model("fake")
    sync(folder, default_uri(empty_home))
    assert versions(empty_home) == []
    (other,) = [each.name for each in client.search_registered_models() if each.name != "fake"]
    assert other.startswith("fake-")
    assert client.get_model_version_by_alias(other, "champion").description.startswith(f"# {other}: synthetic")


def test_a_checkpoint_that_is_gone_or_damaged_is_said_and_holds_up_nothing(home: Path, empty_home: Path) -> None:
    folder = copied(home, empty_home)
    shutil.rmtree(folder / "models")
    for path in folder.glob("trials/*/*/checkpoints/*.pt"):
        path.write_bytes(b"torn")
    sync(folder, default_uri(empty_home))
    said = mlflow_client(empty_home).get_run(run_ids(folder)[-1, None]).data.tags["missing.model"]
    assert "damaged (4 bytes" in said
    assert logged(empty_home) == versions(empty_home) == []
    assert sync(folder, default_uri(empty_home)) == 0
