"""A sweep as it is set up: its folder, what is searched, and how it is launched; values, without a driver."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from pipeline.errors import InputError
from pipeline.record.events import DriverSaid, Line, Prepared, SweepBegan, every
from pipeline.record.home import (
    EVENTS,
    begun,
    command,
    existing,
    folder_of,
    free_name,
    has_trials,
    name_of,
    share,
)
from pipeline.record.log import decoded, read
from pipeline.record.segments import local_lines
from pipeline.record.state import SweepState
from pipeline.schema.base import parse
from pipeline.schema.trial import DataSpec, EvaluationSpec
from pipeline.space import places
from pipeline.space.load import SweepFile, as_begun, from_tree, load
from pipeline.storage.storage import check, is_url, of_sweep
from pipeline.sweeps.bringing import brought, stored
from pipeline.sweeps.learning import learning
from pipeline.tracking.mlflow.credentials import public
from pipeline.tracking.mlflow.location import asked, default_uri, of_home, settled

DRIVER = f'"{DriverSaid.name}"'.encode()  # in every line of one, and in few others


@dataclass(frozen=True)
class Launch:
    """Where and how long a sweep runs; remembered in its record, so that resume needs none of it again."""

    data_root: str | None = None
    tracking_uri: str | None = None  # None: the home's own database
    address: str | None = None  # of a Ray cluster; None: a Ray of its own
    cpus_per_trial: float = 1.0
    gpus_per_trial: float = 0.0
    memory_per_trial: float = 0.0  # bytes, of what a node has for runs; 0: none is set aside
    concurrency: int | None = None  # runs at a time; None: the file's, else as many as fit
    trials: int | None = None  # None: the file's
    max_time: float | None = None  # seconds, of this session; None: the file's
    gpu_hours: float | None = None  # of this session; core-hours where runs take no GPU
    moved: dict[str, str] = field(default_factory=dict)  # data and code that are elsewhere now, by their former names
    storage: str | None = None  # URL of the folder of its sweeps' folders, where its machines share no disk

    @property
    def line(self) -> dict[str, Any]:
        """As it is in the record."""
        return {name: value for name, value in asdict(self).items() if name != "storage" or value is not None}


@dataclass(frozen=True)
class Setup:
    """What `gansweep run` was told, or what the record of a sweep that is there says of it."""

    folder: Path
    file: SweepFile
    launch: Launch
    token: str = ""  # of a new one: tells it from another of the same name that was begun meanwhile

    @classmethod
    def from_file(  # noqa: PLR0913 (the Python API, called by keyword)
        cls,
        space: str | Path,
        overrides: Sequence[str] = (),
        *,
        name: str | None = None,
        home: str | Path | None = None,
        storage: str | Path | None = None,
        trials: int | None = None,
        seed: int | None = None,
        looking: bool = False,
        **launch: Any,
    ) -> Self:
        """A new sweep of a YAML file or preset; nothing is written yet. `launch`: the fields of Launch. looking: it is
        not to be run, and its name may be taken."""
        file = load(str(space), overrides, trials=trials, seed=seed)
        if storage is not None and is_url(str(storage)):
            launch["storage"], storage = check(str(storage)), None
        folder = folder_of(name_of(file.name) if name is None else name, storage or home)
        if name is None and folder.name != file.name:
            file = replace(file, notices=(*file.notices, f"the sweep is named {folder.name} (another: --name)"))
        if file.sweep.search.learn_from:
            file = learning(file, folder)
        share(folder.parent)
        if launch.get("data_root"):
            launch["data_root"] = _absolute(launch["data_root"])
        uri, named_by = asked(launch.get("tracking_uri"))
        launch["tracking_uri"] = settled(uri, folder.parent, named_by) if uri else None
        new = cls(folder, file, Launch(**launch), uuid.uuid4().hex)
        if not looking:
            new.check_new()
        return new

    @classmethod
    def open(cls, name: str, *, home: str | Path | None = None, data: str | None = None, **launch: Any) -> Self:
        """A sweep that is there, as its record has it, in the storage where it has one; `launch`: fields of Launch to
        change, of which `storage` is where it is looked for. data: where its data are now. What was moved along with
        its home is found by itself."""
        folder, asked = folder_of(name, home), launch.get("storage")
        known = last_storage(folder)
        _check_moved(folder, known, asked)
        lines = read(_there(name, home, asked or known) / EVENTS)[0]
        _check_moved(folder, _last_launch(lines).storage, asked)  # of a home that had nothing of it
        return cls._of(folder, lines, data, launch)

    @classmethod
    def looked_at(
        cls, name: str, home: str | Path | None = None, storage: str | None = None
    ) -> tuple[Self, SweepState]:
        """The same, and its state, by one reading of its record."""
        folder = _there(name, home, storage)
        lines, _ = read(folder / EVENTS)
        return cls._of(folder, lines, None, {"storage": storage}), SweepState.fold(lines, folder)

    @classmethod
    def _of(cls, folder: Path, lines: list[Line], data: str | None, launch: Mapping[str, Any]) -> Self:
        share(folder.parent)
        (first,) = every(SweepBegan, lines[:1])
        launched = _last_launch(lines)
        elsewhere = _moved(lines, launched, folder)
        launched = replace(launched, data_root=elsewhere.get(str(launched.data_root), launched.data_root))
        if data is not None:
            elsewhere = elsewhere | places.renamed(str(first.space["data"]["name"]), data)
        changed = {key: value for key, value in launch.items() if value is not None}
        if uri := changed.get("tracking_uri"):
            changed["tracking_uri"] = settled(uri, folder.parent)
        if root := changed.get("data_root"):
            changed["data_root"] = _absolute(root)
        if url := changed.get("storage"):
            changed["storage"] = check(url)
        of_this_session = {"max_time": None, "gpu_hours": None}
        return cls(
            folder,
            from_tree(
                as_begun(places.placed(_as_measured(first.space, lines), elsewhere), first.spec),
                first.source,
            ),
            replace(launched, **{**of_this_session, **changed, "moved": elsewhere}),
        )

    def state(self) -> SweepState:
        """What the record says now; read anew at each call."""
        return SweepState.fold(read(self.folder / EVENTS)[0], self.folder)

    def check_new(self) -> None:
        """Raises InputError where a new sweep's folder has another one, or the trials of one whose record is gone.
        Looked at again under the lock."""
        if not self.token:
            return
        free = f"start another: --name {free_name(self.folder.parent, self.folder.name)}"
        if begun(self.folder):
            (there,) = every(SweepBegan, read(self.folder / EVENTS, limit=1)[0])
            if there.token != self.token:
                raise InputError(
                    f"the name {self.folder.name} is taken; go on with it: {command('resume', self.folder)}, or {free}"
                )
        elif has_trials(self.folder):
            raise InputError(
                f"{self.folder}: has trials and no record ({EVENTS}), so nothing can tell whose they are; put the "
                f"record back, move the folder away, or {free}"
            )

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def stored(self) -> str:
        """The URL of the sweep in its storage; "" where it has none but its folder."""
        return of_sweep(self.launch.storage, self.name) if self.launch.storage else ""

    @property
    def trials_wanted(self) -> int:
        """How many trials it is to have."""
        return self.launch.trials or self.file.sweep.search.trials

    @property
    def tracking_uri(self) -> str:
        """What it sends to, without user and password."""
        uri, home = self.launch.tracking_uri, self.folder.parent
        return public(of_home(uri, home)) if uri else default_uri(home)

    @property
    def cache(self) -> Path:
        """Where data and extractors are kept, for all sweeps of the home."""
        return self.folder.parent / "cache"

    @property
    def data_root(self) -> Path | None:
        """Where downloaded data sets are or go."""
        return Path(self.launch.data_root) if self.launch.data_root else None

    @property
    def data(self) -> DataSpec:
        return parse(DataSpec, self.file.tree["data"], self.file.source)

    @property
    def evaluation(self) -> EvaluationSpec:
        return parse(EvaluationSpec, self.file.tree["evaluation"], self.file.source)


def _there(name: str, home: str | Path | None, storage: str | None) -> Path:
    """The folder of a sweep that is there, with what its storage has of it."""
    if storage:
        brought(folder_of(name, home), check(storage))
    return existing(name, home)


def last_storage(folder: Path) -> str | None:
    """The storage that the last driver had a sweep in, as far as its folder says; None where it had none."""
    raw = local_lines(folder)
    drivers = (each for each in raw[1:] if DRIVER in each)  # few of many: all are read in full in a moment
    found = (decoded(folder / EVENTS, each) for each in (*raw[:1], *drivers))
    lines = [line for line, wrong in found if not wrong]
    return _last_launch(lines).storage if every(SweepBegan, lines[:1]) else None


def _check_moved(folder: Path, known: str | None, asked: str | None) -> None:
    """Raises InputError where a sweep is asked for in another storage than the one that still has it: what goes on
    there would be another sweep of its name."""
    if known is None or asked is None or check(asked) == known or not stored(folder.name, known):
        return
    raise InputError(
        f"--storage: found {check(asked)}, and {folder.name} is in {known}; valid: --storage {known}, or none"
    )


def _absolute(path: str | Path) -> str:
    """A resume may come from another working folder."""
    return str(Path(path).expanduser().absolute())


def _last_launch(lines: list[Line]) -> Launch:
    starts = [driver for driver in every(DriverSaid, lines) if driver.started]
    (first,) = every(SweepBegan, lines[:1])
    return Launch(**(starts[-1].launch if starts else first.launch or {}))


def _as_measured(space: dict[str, Any], lines: list[Line]) -> dict[str, Any]:
    """The space of a sweep from before features had names: images without labels were compared in random ones."""
    known = next(iter(every(Prepared, lines)), None)
    if known is None or "features" in space["evaluation"] or not re.search(r"-random\d+-", known.features or ""):
        return space
    return {**space, "evaluation": {**space["evaluation"], "features": "random"}}


def _moved(lines: list[Line], launched: Launch, folder: Path) -> dict[str, str]:
    """Data and code of a sweep that are elsewhere by now, by their former names: what moved along with the home, and
    what was said to have moved before and is there still."""
    was = [Path(driver.place["folder"]) for driver in every(DriverSaid, lines) if driver.place]
    there = {
        name: now for name, now in launched.moved.items() if all(Path(each).exists() for each in places.files_of(now))
    }
    named = {"space": every(SweepBegan, lines[:1])[0].space, "root": launched.data_root}
    return (places.moved(named, was[0], folder.absolute()) if was else {}) | there
