"""Whose a checkpoint is: the configuration and the seed that it was trained with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.data.dataset import Dataset
from pipeline.data.said import shown
from pipeline.errors import InputError
from pipeline.plugin import is_own
from pipeline.schema.base import flatten, parse
from pipeline.schema.datasets import KNOWN
from pipeline.schema.trial import TrialSpec
from pipeline.training.reading import of_before
from pipeline.training.state import TrainingState

SHOWN = 3  # keys that a line names
PARTS = ("spec", "state", "measurement")
PLACES = ("data.name", "init_from.path")  # may have moved


def check_whole(path: Path, content: dict[str, Any]) -> None:
    """Raises InputError where the checkpoint lacks one of the parts that a run goes on from."""
    for part in PARTS:
        if not isinstance(content.get(part), dict):
            raise InputError(
                f"{path}: has no {part}, so nothing can go on from it; remove it, or choose another folder"
            )


def restore(state: TrainingState, path: Path, content: dict[str, Any]) -> None:
    """Goes on from the checkpoint; InputError where its state is not one of this game."""
    try:
        state.restore(content["state"])
    except Exception as error:
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
        raise InputError(
            f"{path}: nothing can go on from its state ({text}); remove it, or choose another folder"
            f"{of_before(state.spec)}"
        ) from error


def check_provenance(path: Path, content: dict[str, Any], spec: TrialSpec, seed: int) -> None:
    """Raises InputError where the checkpoint at `path` is of another configuration or seed than `spec` and `seed`: a
    run that went on from it would not be what its record says. One of before seeds were kept is taken by its spec."""
    was = flatten(parse(TrialSpec, content["spec"], str(path)).model_dump(mode="json"))
    now = flatten(spec.model_dump(mode="json"))
    other = [
        f"{key} {was.get(key)}, not {now.get(key)}"
        for key in {**was, **now}
        if _placed(key, was.get(key)) != _placed(key, now.get(key))
    ]
    if content.get("seed", seed) != seed:
        other.append(f"seed {content['seed']}, not {seed}")
    if other:
        more = f", and {len(other) - SHOWN} more" if len(other) > SHOWN else ""
        raise InputError(
            f"{path}: is a checkpoint of another run ({', '.join(other[:SHOWN])}{more}); valid: its own, or "
            "an empty folder"
        )


def check_units(path: Path, content: dict[str, Any], dataset: Dataset) -> None:
    """Raises InputError where the checkpoint was trained on the table as it came, and `dataset` is standardised."""
    if dataset.centre is not None and content["state"].get("centre") is None:
        raise InputError(
            f"{path}: was trained on {shown(dataset.name)} before its columns were standardised; valid: an empty "
            "folder, or another sweep"
        )


def _placed(key: str, value: Any) -> Any:
    """A value without where it is, for what is a place: what is there has a fingerprint or a hash of its own, and the
    user's own code its name in a file."""
    if not isinstance(value, str) or not (key in PLACES or is_own(value)):
        return value
    if key == "data.name":
        return value if value in KNOWN else "a place"
    return Path(value).name
