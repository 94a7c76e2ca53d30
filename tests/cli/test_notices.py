"""What run and --dry-run tell a user of a space before anything is started."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.errors import GansweepError

LAZY = ("--set", "regularisers={r1: {interval: 16}, r2: {interval: 16}}")


@pytest.mark.parametrize("dry", [True, False])
def test_a_pair_that_fails_lazily_is_warned_of(dry: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for started in ("pipeline.cli.dryrun.dry_run", "pipeline.cli.sweep.drive"):
        monkeypatch.setattr(started, lambda *_: None)
    arguments = ["run", "digits", *LAZY, "--home", str(tmp_path), *(["--dry-run"] if dry else [])]
    said = CliRunner().invoke(app, arguments)
    assert said.exit_code == 0
    (note,) = (line for line in said.stderr.splitlines() if "lazily" in line)
    assert note.startswith("note: preset digits: regularisers: r1 and r2 with an interval above 1")
    assert note.endswith("interval 1 is safe")


def refused(*arguments: str | Path) -> str:
    """The line that a command ends with."""
    error = CliRunner().invoke(app, [str(each) for each in arguments]).exception
    assert isinstance(error, GansweepError)
    return str(error)


def test_a_look_at_what_would_be_searched_needs_no_free_name(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr("pipeline.cli.dryrun.dry_run", lambda sweep, as_json: looked.append(sweep.name))
    arguments = ["run", "digits", "--name", "clothes", "--home", str(sweep.parent), "--dry-run"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert looked == ["clothes"]


def test_what_to_type_names_the_home_where_it_is_another(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = sweep.parent
    run = "run", "digits", "--name", "clothes", "--home", home
    monkeypatch.setenv("GANSWEEP_HOME", str(home))
    assert "gansweep resume clothes, or" in refused(*run)
    monkeypatch.setenv("GANSWEEP_HOME", str(home / "another"))
    for command in (run, ("pick", "clothes", "--home", home)):
        assert f"gansweep resume clothes --home {home}" in refused(*command)
