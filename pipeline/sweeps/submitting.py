"""What is uploaded so that a cluster elsewhere can run a sweep: its space as resolved, and the user's own files."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline import plugin
from pipeline.errors import InputError
from pipeline.record.home import folder_of, name_of
from pipeline.space import yaml
from pipeline.space.load import SweepFile, load
from pipeline.storage.storage import check, is_url
from pipeline.tracking.mlflow.credentials import public

SPACE, CODE = "space.yaml", "code"  # in what is uploaded
HELD = ".code"  # in the home there: own files, by sweep, where they are the next time too
TEMPORARY_HOMES = PurePosixPath("/tmp/gansweep")  # there, one for each storage that keeps the sweeps


def is_dashboard(address: str | None) -> bool:
    return (address or "").lower().startswith(("http://", "https://"))


def place(home: str | Path | None, storage: str | None) -> tuple[str | None, str | None]:
    """The options --home and --storage as a cluster's machines have them: a storage that is a path is the home. Raises
    InputError for what can be none."""
    if storage and is_url(storage):
        storage = check(storage)
    elif storage:
        home, storage = home or storage, None
    if home and not PurePosixPath(home).is_absolute():
        raise InputError(f"--home: found {home}; valid: an absolute path, of the cluster's machines")
    return (str(PurePosixPath(home)) if home else None), storage


def _temporary_home(storage: str) -> str:
    """Of the sweeps of one storage: those of another may have the same names."""
    return str(TEMPORARY_HOMES / f"{name_of(storage)}-{hashlib.sha256(storage.encode()).hexdigest()[:8]}")


@dataclass(frozen=True)
class Order:
    """A sweep for a cluster elsewhere. home: of the sweeps there, absolute; options: of the command, as they are."""

    file: SweepFile
    name: str
    home: str
    storage: str | None
    options: tuple[str, ...]

    @classmethod
    def of(
        cls,
        space: str,
        overrides: Sequence[str],
        options: Mapping[str, Any],
        **search: Any,
    ) -> Order:
        """options: --name, --home, --storage and what else is handed on, None: not given; search: see load().

        Raises InputError for what is wrong with the space, and where the sweep would be kept nowhere."""
        file = load(space, overrides, **search)
        name = options.get("--name") or name_of(file.name)
        folder_of(name)
        home, storage = place(options.get("--home"), options.get("--storage"))
        tracking = options.get("--tracking-uri")
        if not home and not storage:
            raise InputError(
                "--address: found a dashboard, of machines that are elsewhere; valid: with --home, a folder that they "
                "share, or --storage s3://BUCKET/FOLDER"
            )
        if tracking and public(tracking) != tracking:
            raise InputError(
                "--tracking-uri: found an address with a password, which would be seen on the dashboard; valid: "
                "without, and MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment of the head"
            )
        home = home or _temporary_home(str(storage))
        handed = {**options, "--name": name, "--home": home, "--storage": storage}
        given = [(option, str(value)) for option, value in handed.items() if value is not None]
        return cls(file, name, home, storage, tuple(part for each in given for part in each))

    def write(self, folder: Path) -> str:
        """Puts what is to be uploaded into a folder that is empty, and returns the command that runs it in a copy."""
        there, places = PurePosixPath(self.home, HELD, self.name), {}
        for number, (path, text) in enumerate(plugin.sources(self.file.tree).items()):
            file = folder / CODE / str(number) / Path(path).name  # two may have one name
            file.parent.mkdir(parents=True)
            file.write_text(text)
            places[path] = str(there / str(number) / Path(path).name)
        (folder / SPACE).write_text(yaml.dump(_placed(self.file.tree, places)))
        run = shlex.join(["gansweep", "run", SPACE, *self.options, "--resume", "--address", "auto"])
        held = shlex.quote(str(there))
        return f"mkdir -p {held} && cp -R {CODE}/. {held}/ && exec {run}" if places else f"exec {run}"


def _placed(tree: Any, places: Mapping[str, str]) -> Any:
    """The tree with each "file.py:object" of a file that is a key of `places` as one of the file that it is there."""
    if isinstance(tree, dict):
        return {_placed(key, places): _placed(value, places) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_placed(value, places) for value in tree]
    if not isinstance(tree, str) or not plugin.is_own(tree):
        return tree
    path, _, part = tree.rpartition(":")
    place = places.get(str(Path(path).expanduser().absolute()))
    return f"{place}:{part}" if place else tree
