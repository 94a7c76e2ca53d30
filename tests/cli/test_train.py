"""One configuration trained: called again it goes on, and says what one call would have said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from pipeline.cli.main import app

SHORT = ("--set", "budget.images=12800", "--set", "evaluation.every=2560", "--set", "evaluation.samples=300")


def trained(folder: Path, home: Path) -> dict[str, Any]:
    CliRunner().invoke(app, ["train", "ring8", *SHORT, "--seed", "2", "-o", str(folder), "--home", str(home)])
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return {name: found[name] for name in ("end_reason", "images", "tail", "final")}


def test_the_tail_of_a_training_that_went_on_is_that_of_the_whole(tmp_path: Path) -> None:
    """The median of the last three evaluations, of which the second call made one."""
    whole = trained(tmp_path / "run", tmp_path / "home")
    checkpoints = sorted((tmp_path / "run" / "checkpoints").glob("*.pt"))
    checkpoints[-1].unlink()
    (tmp_path / "run" / "result.json").unlink()
    assert trained(tmp_path / "run", tmp_path / "home") == whole
