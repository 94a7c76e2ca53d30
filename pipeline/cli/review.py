"""The verbs that look back: report, export, compare, show. cli/main.py registers them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.completing import sweep_names, trial_numbers
from pipeline.cli.looking import looked_at
from pipeline.cli.options import Home, Json, Name, Storage
from pipeline.record.log import dumps


def report(
    name: Name,
    output: Annotated[
        Path | None, typer.Option("--out", "-o", help="The page; default report.html in the sweep's folder.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(help="A folder for the same figures as SVG and PNG, for papers.")
    ] = None,
    home: Home = None,
    storage: Storage = None,
) -> None:
    """One HTML page that needs no network: what to use, how sure that is, what failed and why."""
    from pipeline.report.page.figures import save_figures
    from pipeline.report.page.page import REPORT, write

    sweep, state = looked_at(name, home, storage)
    path = output or sweep.folder / REPORT
    if figures is not None:
        saved = save_figures(state, figures)
        typer.echo(f"{len(saved)} figures in {figures}", err=True)
    write(state, sweep.folder, path)
    if not state.ranking():
        typer.echo(f"note: no trial of {state.name} has a score yet, and the page says so", err=True)
    print(path)


def export(
    name: Name,
    output: Annotated[
        Path | None, typer.Option("--out", "-o", help="A folder; default export in the sweep's folder.")
    ] = None,
    home: Home = None,
    storage: Storage = None,
) -> None:
    """Trials and measurements as CSV and Parquet, the study as a journal file that optuna-dashboard opens."""
    from pipeline.report.export import export as write

    sweep, state = looked_at(name, home, storage)
    for path in write(state, output or sweep.folder / "export"):
        print(path)


def compare(
    sweeps: Annotated[
        list[str], typer.Argument(metavar="NAME NAME ...", help="Two sweeps or more.", autocompletion=sweep_names)
    ],
    output: Annotated[
        Path | None, typer.Option("--out", "-o", help="The same as an HTML page that needs no network.")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Sweeps side by side: best, confirmed, spent, failures, and what differs."""
    from rich.console import Console

    from pipeline.report.compare import compare as compared
    from pipeline.report.compare import comparison_table, words
    from pipeline.sweeps.setup import Setup

    states = [Setup.looked_at(name, home)[1] for name in sweeps]
    comparison = compared(states)
    if output is not None:
        from pipeline.report.page.side_by_side import write

        write(comparison, states, output)
        typer.echo(f"page: {output}", err=True)
    if as_json:
        print(dumps(comparison.document()))
        return
    console = Console()
    console.print(comparison_table(comparison))
    console.print(words(comparison), highlight=False, soft_wrap=True)


def show(
    name: Name,
    trial: Annotated[int, typer.Argument(min=0, metavar="TRIAL", help="Its number.", autocompletion=trial_numbers)],
    home: Home = None,
    storage: Storage = None,
) -> None:
    """One trial: its curves, its end's evidence, its picture's path, and its spec as YAML."""
    from rich.console import Console

    from pipeline.report.shown import shown, spec_yaml, trial_of

    sweep, state = looked_at(name, home, storage)
    shown_trial = trial_of(state, trial)
    console = Console()
    console.print(shown(state, shown_trial, sweep.folder), highlight=False, crop=False)  # a path is there to be copied
    console.print("\nits spec, to take along (gansweep train FILE):\n", style="dim", highlight=False)
    print(spec_yaml(state, shown_trial), end="")
