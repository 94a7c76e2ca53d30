"""The verb that has samples judged by eye: judge. cli/main.py registers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import Home, Name

if TYPE_CHECKING:
    from pipeline.sweeps.sweep import Sweep


def judge(
    name: Name,
    top: Annotated[
        int | None,
        typer.Option(min=2, help="Judge the best so many of the search; default the pick's finalists, else 4."),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; default one that is free.")] = 0,
    home: Home = None,
) -> None:
    """Samples of the finalists side by side, blind: a page on this machine takes your votes and ranks them. Every vote
    is kept as it is given; called again, it goes on."""
    from rich.console import Console

    from pipeline.judging.contestants import contestants, without_pictures
    from pipeline.judging.judgement import judgement
    from pipeline.record.home import command
    from pipeline.report.judge.server import serving
    from pipeline.report.judge.session import Session
    from pipeline.report.judged import ranking_table, said
    from pipeline.sweeps.sweep import Sweep

    sweep = Sweep.open(name, home=home)
    state = sweep.state()
    among = contestants(state, sweep.folder, top)
    if top is None and (left := without_pictures(state, among)):
        typer.echo(f"note: without a picture on this disk, and so not judged: {', '.join(map(str, left))}", err=True)
    console, stopped = Console(stderr=True), False
    with serving(Session(state, sweep.folder, among), port) as server:
        print(server.url, flush=True)
        typer.echo("vote on that page; it ends with Finish there, or with Ctrl-C here", err=True)
        try:
            server.over.wait()
        except KeyboardInterrupt:
            stopped = True
    ranked = judgement(sweep.folder)
    if ranked is not None:
        console.print(ranking_table(state, ranked))
        for line in said(state, ranked).lines:
            console.print(line, highlight=False, soft_wrap=True)
    if stopped:
        typer.echo(f"go on with: {command('judge', sweep.folder)}", err=True)
        raise typer.Exit(130)
    _send(sweep)


def _send(sweep: Sweep) -> None:
    """The ranking to MLflow; where that cannot be reached it waits, as all else does."""
    from pipeline.errors import GansweepError
    from pipeline.record import lock
    from pipeline.record.home import command
    from pipeline.tracking.tracker import sync

    if lock.holder(sweep.folder) is not None:
        return  # its driver sends by itself
    try:
        sync(sweep.folder, sweep.tracking_uri)
    except GansweepError as error:
        typer.echo(f"warning: {error}; send the ranking with: {command('sync', sweep.folder)}", err=True)
