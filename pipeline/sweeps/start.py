"""The lines that a driver begins with, and whether what it goes on with is what the sweep was started with."""

from __future__ import annotations

import os
import platform
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.data.said import shown
from pipeline.errors import InputError, Superseded
from pipeline.record.events import DriverSaid, Line, Prepared, SweepBegan, every
from pipeline.record.home import EVENTS, begun, command
from pipeline.record.lock import Lock
from pipeline.record.log import Record, read
from pipeline.space import places
from pipeline.sweeps import sweep_yaml
from pipeline.sweeps.setup import Setup
from pipeline.sweeps.stored import Stored


@dataclass(frozen=True)
class Start:
    """What a driver starts with."""

    doing: str  # "search" or "pick"
    held: Lock
    prepared: dict[str, Any]  # data, features, floor and code as they are now
    slots: int  # runs at a time
    accept_changes: bool  # of data and code since the sweep was started
    stored: Stored | None = None  # the sweep in its storage

    def check(self) -> None:
        """Raises Superseded where the sweep is another driver's by now."""
        self.held.fence.check()
        if self.stored:
            self.stored.claim.check()

    @property
    def taken_over(self) -> dict[str, Any] | None:
        """Whose lock it took, here or in the storage."""
        if self.held.taken_over is None and self.stored:
            return self.stored.claim.taken_over
        return self.held.taken_over


def recorded(sweep: Setup, start: Start) -> tuple[Record, list[Line]]:
    """The record, open, and all its lines so far with those that this driver begins with (see begin). Until the first
    of them one that was asleep may still have written to the storage, and what it did is a part of it."""
    while True:
        kept = start.stored.segments.take if start.stored else None
        record = Record(sweep.folder / EVENTS, guard=start.check, kept=kept)
        try:
            return record, begin(sweep, record, start)
        except Superseded:
            record.close()
            start.check()
            if start.stored is None:
                raise
            start.stored.agree()
        except BaseException:
            record.close()
            raise


def begin(
    sweep: Setup,
    record: Record,
    start: Start,
) -> list[Line]:
    """Writes the lines of a driver's start, in a new record or at the end of one; returns all lines so far.

    Raises InputError where data, features or code are not those that the sweep was started with, unless that is
    accepted: then it goes on with them from here.
    """
    lines, _ = read(record.path)
    prepared, launch = start.prepared, replace(sweep.launch, trials=sweep.trials_wanted)
    if not lines:
        sweep_yaml.write(sweep.folder, sweep.file.tree)
        lines.append(
            record.append(
                "sweep",
                name=sweep.name,
                space=sweep.file.tree,
                source=sweep.file.source,
                spec=sweep.file.sweep.model_dump(mode="json"),
                seed=sweep.file.sweep.search.seed,
                versions=versions(),
                token=sweep.token,
                launch=launch.line,
            )
        )
    known = next(reversed(every(Prepared, lines)), None)
    if known is not None:
        check_units(known, prepared, sweep.name)
        check_features(known, prepared, sweep.name)
    changed = [] if known is None else changes(known, prepared, launch.moved)
    if changed and not start.accept_changes:
        raise InputError(
            f"{sweep.name}: {'; '.join(changed)}; put it back, start another sweep, or go on with it all the same: "
            f"{command('resume', sweep.folder)} --accept-changes"
        )
    # what is in a storage is one sweep, wherever a driver has its folder
    original = None if launch.storage else copied_from(lines, sweep.folder, sweep.tracking_uri)
    lines.append(
        record.append(
            "driver",
            doing=start.doing,
            session=start.held.session,
            state="started",
            pid=os.getpid(),
            host=platform.node(),
            launch=launch.line,
            slots=start.slots,
            torn=record.torn,
            taken_over=start.taken_over,
            place={"folder": str(sweep.folder.absolute()), "tracking": sweep.tracking_uri},
            **({"identity": uuid.uuid4().hex[:16], "copy_of": str(original)} if original else {}),
        )
    )
    if known is None or changed:
        lines.append(record.append("prepared", **prepared, **({"accepted": changed} if changed else {})))
    return lines


def copied_from(lines: list[Line], folder: Path, tracking_uri: str) -> Path | None:
    """The folder that this one was copied from, where the original is still there and sends to the same tracker: what
    goes on here is another sweep. None of a folder that was moved, or whose copy sends elsewhere."""
    starts = [driver for driver in every(DriverSaid, lines) if driver.started]
    first = every(SweepBegan, lines)
    if not starts or not first:
        return None
    place = starts[-1].place
    was = Path(place["folder"]) if place else folder.parent / first[0].sweep  # of before places were kept
    if place and place["tracking"] != tracking_uri:
        return None
    if was.absolute() == folder.absolute() or not begun(was) or was.samefile(folder):
        return None
    return was if every(SweepBegan, read(was / EVENTS, limit=1)[0]) == first else None


def check_units(known: Prepared, prepared: dict[str, Any], name: str) -> None:
    """InputError where the sweep was started on a table as it came: its values and checkpoints are of other units."""
    if known.data["fingerprint"] == prepared["data"].get("unstandardised"):
        raise InputError(
            f"{name}: the columns of {shown(known.data['name'])} are standardised now, and were not in the version "
            "of gansweep that it was started with: its values and checkpoints do not go together with new ones; valid: "
            "another sweep, or that version"
        )


def check_features(known: Prepared, prepared: dict[str, Any], name: str) -> None:
    """InputError where the same data would be measured in other features now: the distances of two are not comparable,
    whoever accepts it. Of other data they are other ones anyway, and that is asked."""
    same = known.data["fingerprint"] == prepared["data"]["fingerprint"]
    if same and known.features and known.features != prepared["features"]:
        raise InputError(
            f"{name}: its distances were measured in {known.features}, and would be in {prepared['features']} now, "
            "which cannot be compared; valid: another sweep, or the cache, files and versions that it was started with"
        )


def changes(known: Prepared, prepared: dict[str, Any], moved: Mapping[str, str]) -> list[str]:
    """What is not as it was when the sweep was started, in words. moved: names of what is elsewhere by now."""
    pairs = [zip(places.files_of(was), places.files_of(now), strict=True) for was, now in moved.items()]
    files = {was: now for pair in pairs for was, now in pair}
    changed = []
    data = known.data
    if data["fingerprint"] != prepared["data"]["fingerprint"]:
        now = prepared["data"]["fingerprint"]
        changed.append(
            f"the data set {data['name']} is not the one it was started with ({data['fingerprint']}, now {now})"
        )
    if known.features != prepared["features"]:
        changed.append(
            f"its distances were measured with the features {known.features}, which the cache no longer has "
            f"(now {prepared['features']})"
        )
    for path, before in known.code.items():
        now = prepared["code"].get(path) or prepared["code"].get(files.get(path, path))
        if now != before:
            changed.append(f"{path} is not the code it was started with ({before}, now {now})")
    return changed


def notices(record: Record, lines: list[Line]) -> list[str]:
    """What was found when the sweep's folder was taken over, for the user."""
    notes = sweep_yaml.edited(record.path.parent, every(SweepBegan, lines)[0].space)
    driver = every(DriverSaid, lines)[-1]
    if original := driver.copy_of:
        notes.append(
            f"a copy of {original}: from here on it is a sweep of its own, with an experiment of its own in MLflow"
        )
    if (who := driver.taken_over) is not None:
        at = f"process {who['pid']} on {who['host']}, since {who['since']}" if "pid" in who else "an unreadable one"
        notes.append(f"took over the lock of a driver that is gone ({at})")
    if record.torn is not None:
        notes.append(f"dropped the record's last line, which was torn ({len(record.torn.encode())} bytes)")
    return notes


def versions() -> dict[str, str]:
    """What the sweep ran on, for the record."""
    packages = ("gansweep", "ray", "optuna", "mlflow", "torch")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
