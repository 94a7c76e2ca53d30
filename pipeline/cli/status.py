"""The verbs of a sweep at work: status, stop. cli/main.py registers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.completing import sweep_names
from pipeline.cli.looking import looked_at
from pipeline.cli.options import Home, Json, Name, Storage
from pipeline.record.log import dumps

if TYPE_CHECKING:
    from pipeline.record.state import SweepState
    from pipeline.sweeps.setup import Setup


def document(sweep: Setup, state: SweepState) -> dict[str, Any]:
    """What --json prints of a sweep."""
    from pipeline.report.status import status_document
    from pipeline.tracking.memory import backlog
    from pipeline.tracking.tracker import run_ids

    return status_document(state, sweep.folder, run_ids(sweep.folder), backlog(sweep.folder, sweep.tracking_uri))


def status(
    name: Annotated[
        str | None, typer.Argument(help="A sweep's name; all of them without it.", autocompletion=sweep_names)
    ] = None,
    home: Home = None,
    storage: Storage = None,
    as_json: Json = False,
) -> None:
    """What a sweep, or every sweep, has reached."""
    from rich.console import Console

    from pipeline.errors import InputError
    from pipeline.record.home import names
    from pipeline.report.status import sweep_state
    from pipeline.report.tables import leaderboard, overview
    from pipeline.sweeps.setup import Setup

    if name is None:
        if storage:
            raise InputError("--storage: found without a sweep's name; valid: gansweep status NAME --storage URL")
        sweeps, damaged = [], []
        for each in names(home):
            try:
                sweeps.append(Setup.looked_at(each, home))
            except InputError as error:  # the others are shown all the same
                damaged.append({"name": each, "state": "damaged", "error": str(error)})
        if as_json:
            print(dumps([*(document(sweep, state) for sweep, state in sweeps), *damaged]))
        else:
            Console().print(overview([(state, sweep_state(state, sweep.folder)) for sweep, state in sweeps]))
        if damaged:
            failure = InputError("; ".join(each["error"] for each in damaged))
            failure.document = None  # printed already
            raise failure
        return
    sweep, state = looked_at(name, home, storage)
    if as_json:
        print(dumps(document(sweep, state)))
        return
    from pipeline.picking.plateau import plateau
    from pipeline.picking.verdict import standing
    from pipeline.report.insight import insight
    from pipeline.report.pick_tables import table
    from pipeline.report.summary import summary
    from pipeline.report.verdict import conclusions, robustness

    console = Console()
    console.print(leaderboard(state, console.width, rows=50))
    console.print(f"state: {sweep_state(state, sweep.folder)}", highlight=False)
    best = state.best_trial
    for line in [*summary(state), *insight(state, best.number if best else None)]:
        console.print(line, highlight=False, soft_wrap=True)
    if (verdict := standing(state)) is not None:
        console.print()
        console.print(table(verdict, console.width))
        around = plateau(state)
        for line in [*conclusions(verdict, state), *(robustness(around) if around else [])]:
            console.print(line, highlight=False, soft_wrap=True)


def stop(
    name: Name,
    home: Home = None,
    storage: Storage = None,
    address: Annotated[str | None, typer.Option(help="The dashboard that it was submitted to.")] = None,
) -> None:
    """End a running sweep or pick from another terminal; it can be gone on with."""
    from pipeline.errors import InputError
    from pipeline.record import lock
    from pipeline.record.home import STOP, command
    from pipeline.sweeps.setup import Setup
    from pipeline.sweeps.submitting import is_dashboard

    if address is not None:
        from pipeline.cli import submitted

        if not is_dashboard(address):
            raise InputError(f"--address: found {address}; valid: http://HEAD:8265, the dashboard it was submitted to")
        submitted.stop(address, name, home, storage)
        return
    if storage:
        raise InputError(
            "--storage: found without a dashboard's --address; valid: with --home alone, where its driver is"
        )
    sweep, state = Setup.looked_at(name, home)
    folder, verb = sweep.folder, "pick" if state.picking == "started" else "resume"
    if lock.holder(folder) is None:
        raise InputError(f"{name} is not running; its state: {command('status', folder)}")
    (folder / STOP).write_text("")
    typer.echo(f"{name} ends within seconds; go on with: {command(verb, folder)}", err=True)
