"""The verb that asks what other rules would have done: replay. cli/main.py registers it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.options import Home, Json, Name


def replay(
    name: Name,
    rules: Annotated[
        Path | None, typer.Option(help="A YAML file with a section health, as a sweep's; default: the defaults.")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """What other health rules would have stopped of a sweep, when, and which runs that ended well."""
    from rich.console import Console

    from pipeline.record.log import dumps
    from pipeline.report.audit import replayed
    from pipeline.report.tables import replay_table
    from pipeline.sweeps.sweep import Sweep

    state = Sweep.open(name, home=home).state()
    chosen = rules_of(rules, state.metric)
    rejudged = replayed(state, chosen)
    if as_json:
        print(dumps(rejudged.document()))
        return
    if rejudged.stops:
        Console().print(replay_table(rejudged))
    wrong = len(rejudged.wrong)
    print(
        f"{len(rejudged.stops)} of {rejudged.runs} runs would have been stopped, {wrong} of which ended well; "
        f"that would have saved {rejudged.saved / 60:.1f} minutes of runs"
    )
    if rejudged.missed:
        said = ", ".join(f"trial {trial} ({reason})" for trial, _, reason in rejudged.missed)
        print(f"{len(rejudged.missed)} that were stopped for their health would not have been: {said}")
    for rule, count in rejudged.warnings.items():
        print(f"{rule} would have warned of {count} run{'' if count == 1 else 's'}")


def rules_of(file: Path | None, metric: str) -> Any:
    """The rules of a YAML file with a section health; the defaults without one."""
    from pipeline.errors import InputError
    from pipeline.schema.base import parse
    from pipeline.schema.sweep import SweepSpec
    from pipeline.space.yaml import read_mapping

    tree = read_mapping(file) if file else {"health": {}}
    if not isinstance(tree.get("health"), dict):
        raise InputError(
            f"{file}: found {', '.join(tree) or 'nothing'}; valid: a section health, as a sweep's file has"
        )
    return parse(SweepSpec, {"objective": metric, "health": tree["health"]}, str(file)).health
