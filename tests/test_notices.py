"""What run and --dry-run tell a user of a space before anything is started."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app

LAZY = ("--set", "regularisers={r1: {interval: 16}, r2: {interval: 16}}")


@pytest.mark.parametrize("dry", [True, False])
def test_a_pair_that_fails_lazily_is_warned_of(dry: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for started in ("pipeline.report.dryrun.dry_run", "pipeline.cli.drive"):
        monkeypatch.setattr(started, lambda *_: None)
    arguments = ["run", "digits", *LAZY, "--home", str(tmp_path), *(["--dry-run"] if dry else [])]
    said = CliRunner().invoke(app, arguments)
    assert said.exit_code == 0
    (note,) = (line for line in said.stderr.splitlines() if "lazily" in line)
    assert note.startswith("note: preset digits: regularisers: r1 and r2 with an interval above 1")
    assert note.endswith("interval 1 is safe")
