"""MLflow's database appears whole: what was left of a making that was cut short is in nobody's way."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.tracking.mlflow import client


def test_a_making_that_was_cut_short_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    uri, file = f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "mlflow.db"
    with monkeypatch.context() as patched:
        patched.setattr(client.durable, "replace", full)
        with pytest.raises(OSError, match="No space left"):
            client.connect(uri)
    assert not file.exists()
    (making,) = tmp_path.glob(".mlflow.db.*.making")
    making.write_bytes(making.read_bytes()[:5000])  # and not even whole
    assert [each.name for each in client.connect(uri).search_experiments()] == ["Default"]
    assert not making.exists()
    assert client.connect(uri).create_experiment("one")
    assert {each.name for each in client.connect(uri).search_experiments()} == {"Default", "one"}
