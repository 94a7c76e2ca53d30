"""The verbs that look back: report, export, compare, show, schema. cli/main.py registers them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import Home, Json, Name
from pipeline.record.log import dumps


def report(
    name: Name,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page; default report.html in the sweep's folder.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(help="A folder for the same figures as SVG and PNG, for papers.")
    ] = None,
    home: Home = None,
) -> None:
    """One HTML page that needs no network: what to use, how sure that is, what failed and why."""
    from pipeline.report.page.figures import save_figures
    from pipeline.report.page.page import REPORT, write
    from pipeline.sweeps.sweep import Sweep

    sweep = Sweep.open(name, home=home)
    state = sweep.state()
    path = output or sweep.folder / REPORT
    if figures is not None:
        saved = save_figures(state, figures)
        typer.echo(f"{len(saved)} figures in {figures}", err=True)
    write(state, sweep.folder, path)
    if not state.ranking():
        typer.echo(f"note: no trial of {state.name} has a score yet, and the page says so", err=True)
    print(path)
