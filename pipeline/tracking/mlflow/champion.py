"""What a pick recommends as a logged model of MLflow, registered under the sweep's name as its champion."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import GansweepError
from pipeline.picking.verdict import Verdict, standing
from pipeline.record.events import DriverSaid, Line, every
from pipeline.record.state import SweepState
from pipeline.tracking.card import Exported, card, exported
from pipeline.tracking.content import cut
from pipeline.tracking.mlflow.client import MlflowRuns, make_way
from pipeline.tracking.mlflow.packing import METADATA, packed
from pipeline.tracking.projection import PICK

ALIAS, CARD = "champion", "README.md"
MODELS = "models"  # the exported generators, in the sweep's folder
TAG = "gansweep.model"  # which checkpoint it is of: by this it is found, and so never made twice

log = logging.getLogger(__name__)


def due(state: SweepState, line: Line) -> bool:
    """Whether `line` is the end of a pick that was run to its end."""
    if not any(driver.doing == "pick" and driver.state == "finished" for driver in every(DriverSaid, [line])):
        return False
    verdict = standing(state)
    return verdict is not None and verdict.complete


def send(runs: MlflowRuns, state: SweepState, folder: Path, fetch: Callable[[Path], None] = lambda path: None) -> None:
    """Brings MLflow to what the pick found; sent again, it changes nothing. fetch: sees to it that a file of the
    sweep's folder is there. A generator that cannot be exported is said by a tag of the pick's run; what goes wrong
    with MLflow is raised, to be tried again."""
    verdict = standing(state)
    chosen = exported(verdict, state, folder) if verdict else None
    if verdict is None or chosen is None:
        return
    fetch(chosen.checkpoint)
    try:
        model = packed(chosen.checkpoint, folder / MODELS / chosen.label)
    except GansweepError as error:
        log.warning("no model of the pick: %s", error)
        runs.client.set_tag(runs.ids[PICK], "missing.model", cut(str(error)))
        return
    name = _registered(runs)
    text = card(verdict, state, chosen, name, f"models:/{name}@{ALIAS}")
    (model / CARD).write_text(text, encoding="utf-8")
    _register(runs, name, _logged(runs, verdict, chosen, model, text), chosen, text)


def _logged(runs: MlflowRuns, verdict: Verdict, chosen: Exported, model: Path, text: str) -> Any:
    """The logged model of the checkpoint, with its files."""
    client = runs.client
    tags = {TAG: _identity(runs, chosen), "gansweep.id": runs.sweep}
    query = f"tags.`{TAG}` = '{tags[TAG]}'"
    there = client.search_logged_models([runs.experiment], filter_string=query, max_results=1)
    logged = there[0] if there else None
    if logged is None:
        params = {"trial": str(chosen.run.trial), "seed": str(chosen.run.seed), "images": str(chosen.images)}
        tags |= {name: str(value).lower() if value is True else str(value) for name, value in METADATA.items()}
        logged = client.create_logged_model(
            runs.experiment, "generator", runs.ids[PICK], tags, params, model_type="generator"
        )
    if str(logged.status) != "READY" or logged.tags.get("card") != cut(text):
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(shutil.copytree(model, Path(scratch) / "model"))
            mlmodel = yaml.safe_load((copy / "MLmodel").read_text(encoding="utf-8"))
            mlmodel |= {"model_id": logged.model_id, "run_id": runs.ids[PICK]}
            (copy / "MLmodel").write_text(yaml.safe_dump(mlmodel), encoding="utf-8")
            make_way(str(logged.artifact_location), [str(each.relative_to(copy)) for each in copy.rglob("*")])
            client.log_model_artifacts(logged.model_id, str(copy))
        if str(logged.status) != "READY":
            client.finalize_logged_model(logged.model_id, "READY")
        client.set_logged_model_tags(logged.model_id, {"card": cut(text)})
    return logged


def _registered(runs: MlflowRuns) -> str:
    """The name that it is registered under: the sweep's own, unless another sweep or somebody else has it."""
    from mlflow.exceptions import MlflowException

    other = f"{runs.name}-{runs.sweep[:8]}"
    for name in (runs.name, other):
        try:
            model = runs.client.get_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            about = f"Generators that gansweep picked from the sweep {runs.name}; @{ALIAS} is what it recommends now."
            runs.client.create_registered_model(name, {"gansweep.id": runs.sweep, "synthetic": "true"}, about)
            return name
        if model.tags.get("gansweep.id") == runs.sweep:
            return name
    raise RuntimeError(f"the registered models {runs.name} and {other} are of somebody else")


def _register(runs: MlflowRuns, name: str, logged: Any, chosen: Exported, text: str) -> None:
    client, identity = runs.client, _identity(runs, chosen)
    versions = client.search_model_versions(f"name='{name}'", max_results=1000)
    version = next((each for each in versions if each.tags.get(TAG) == identity), None)
    if version is None:
        version = client.create_model_version(
            name,
            logged.artifact_location,
            run_id=runs.ids[PICK],
            tags={TAG: identity, "gansweep.trial": str(chosen.run.trial), "gansweep.seed": str(chosen.run.seed)},
            description=cut(text),
            model_id=logged.model_id,
        )
        mark = json.dumps([{"name": name, "version": version.version}])
        client.set_logged_model_tags(logged.model_id, {"mlflow.modelVersions": mark})
    elif version.description != cut(text):
        client.update_model_version(name, version.version, cut(text))
    if str(client.get_registered_model(name).aliases.get(ALIAS)) != str(version.version):
        client.set_registered_model_alias(name, ALIAS, str(version.version))
    client.set_tag(runs.ids[PICK], "model", f"models:/{name}/{version.version}")


def _identity(runs: MlflowRuns, chosen: Exported) -> str:
    return f"{runs.sweep}/{chosen.label}"
