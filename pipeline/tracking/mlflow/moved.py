"""A home that was moved or copied: its own database says where its artifacts were, and they are beside it now."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from pipeline.errors import Unreachable

ARTIFACTS = "mlartifacts"  # the folder beside the database
PATIENCE = 30.0  # seconds for a database that somebody else is writing to
# Where MLflow keeps addresses of artifacts (3.17), each absolute.
ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def relocate(file: Path) -> None:
    """Has the addresses of what lies in an artifact folder beside the database follow it to where it is now. Those of
    other places are left as they are, and so is a database that is not there or not one of MLflow's."""
    here = (file.parent / ARTIFACTS).as_uri()
    if not file.exists():
        return
    connection = sqlite3.connect(file, timeout=PATIENCE)
    try:
        with connection:
            for old in _former(connection, here):
                for table, column in _known(connection):
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} LIKE ? ESCAPE '\\'",
                        (here, len(old) + 1, _beginning(old)),
                    )
    except sqlite3.Error as error:
        raise Unreachable(f"{file}: cannot be written ({error})") from None
    finally:
        connection.close()


def _former(connection: sqlite3.Connection, here: str) -> list[str]:
    """The artifact folders of ours that experiments have and that are not the one of here."""
    if ("experiments", "artifact_location") not in _known(connection):
        return []
    ours = "SELECT experiment_id FROM experiment_tags WHERE key = 'gansweep.id'"
    rows = connection.execute(f"SELECT artifact_location FROM experiments WHERE experiment_id IN ({ours})").fetchall()
    locations = {location.rpartition("/")[0] for (location,) in rows if location}
    return sorted(
        each for each in locations if each.startswith("file:") and each.endswith(f"/{ARTIFACTS}") and each != here
    )


def _known(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """The addresses that this database has a column for: another version of MLflow may have others."""
    there = {
        (table, row[1])
        for table in {table for table, _ in ADDRESSES}
        for row in connection.execute(f"PRAGMA table_info({table})")
    }
    return [each for each in ADDRESSES if each in there]


def _beginning(folder: str) -> str:
    """For LIKE: what lies in the folder."""
    escaped = folder.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"{escaped}/%"
