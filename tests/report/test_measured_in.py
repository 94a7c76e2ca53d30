"""What a number was measured in stands beside it, wherever it is shown; values of other features never go with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipeline.errors import InputError
from pipeline.record.events import Prepared
from pipeline.record.home import EVENTS
from pipeline.record.log import Record
from pipeline.record.state import SweepState
from pipeline.report.status import status_document
from pipeline.report.tables import leaderboard, overview
from pipeline.schema.features import FEATURES, measured_in
from pipeline.space.load import load
from pipeline.sweeps.setup import Setup
from pipeline.sweeps.start import check_features
from pipeline.tracking.content import view

NAME = "photos-selfsup64-1a2b3c4d"
RUN = {"trial": 0, "seed": 7, "attempt": 1}


def state(features: str) -> SweepState:
    """Of a sweep with one trial that was trained to its end."""
    prepared = {"data": {"name": "digits", "fingerprint": "x"}, "floor": {"fid": 2.0}, "floor_spread": {"fid": 0.1}}
    measured = {"images": 10, "metrics": {"fid": 8.0}, "signals": {}, "seconds": 1.0, "features": features}
    lines: list[tuple[str, dict[str, Any]]] = [
        ("sweep", {"name": "s", "space": {}, "spec": {"objective": "fid", "search": {}}, "seed": 1, "source": "s",
                   "versions": {}}),
        ("driver", {"session": "a", "state": "started", "slots": 1, "launch": {}}),
        ("prepared", prepared | {"features": features}),
        ("trial", {"trial": 0, "point": {}, "spec": {}, "source": "known_good"}),
        ("attempt", RUN),
        ("measurement", RUN | measured),
        ("run_ended", RUN | {"reason": "completed", "evidence": {}}),
    ]  # fmt: skip
    return SweepState.fold({"n": n, "time": float(n), "event": event} | it for n, (event, it) in enumerate(lines))


def shown(*tables: Any) -> str:
    console = Console(width=200)
    with console.capture() as found:
        console.print(*tables)
    return found.get()


def test_tables_status_and_mlflow_say_it(tmp_path: Path) -> None:
    now = state(NAME)
    assert shown(leaderboard(now, 120)).splitlines()[0].strip() == f"s: fid (floor 2) in {NAME}"
    assert f"fid 8 in {NAME} (trial 0)" in shown(overview([(now, "finished")]))
    assert status_document(now, tmp_path, {}, 0)["objective"]["features"] == NAME
    sweep, trial = view(now, (None, None)), view(now, (0, None))
    assert sweep.tags["features"] == trial.tags["features"] == NAME
    assert f"Measured in {NAME}; values of other features are not comparable." in sweep.tags["mlflow.note.content"]
    assert f"fid in {NAME}: tail 8 (4.00 floors)" in trial.tags["mlflow.note.content"]


def test_points_are_compared_as_they_are(tmp_path: Path) -> None:
    assert measured_in("points") == measured_in(None) == measured_in("") == ""
    assert measured_in(f"{NAME} + {NAME}") == f" in {NAME} + {NAME}"
    assert shown(leaderboard(state("points"), 120)).splitlines()[0].strip() == "s: fid (floor 2)"


def test_the_same_data_in_other_features_are_refused_whoever_accepts_it() -> None:
    facts: dict[str, Any] = {"data": {"name": "digits", "fingerprint": "x"}, "features": NAME}
    known = Prepared(n=1, time=0.0, floor={}, floor_spread={}, **facts)
    check_features(known, facts, "s")
    other = facts | {"features": "photos-random64-00000000"}
    with pytest.raises(
        InputError, match=rf"^s: its distances were measured in {NAME}, and would be in photos-random64"
    ):
        check_features(known, other, "s")
    check_features(known, other | {"data": {"name": "digits", "fingerprint": "y"}}, "s")  # asked as other data


@pytest.mark.parametrize(
    ("features", "found"), [("photos-random64-1a2b3c4d", "random"), (NAME, "auto"), ("random-cnn64-1a2b3c4d", "auto")]
)
def test_a_sweep_from_before_they_had_names_goes_on_in_random_ones(tmp_path: Path, features: str, found: str) -> None:
    file, folder = load("digits"), tmp_path / "s"
    folder.mkdir()
    record = Record(folder / EVENTS)
    spec = file.sweep.model_dump(mode="json")
    record.append("sweep", name="s", space=file.tree, source=file.source, spec=spec, seed=0, versions={})
    record.append("prepared", data={}, floor={}, floor_spread={}, features=features)
    record.close()
    assert Setup.open("s", home=tmp_path).evaluation.features == found


def test_every_row_says_what_it_is() -> None:
    assert all(row.about and row.made.startswith("pipeline.metrics.") for row in FEATURES.values())
