"""The verbs of a sweep's tracker: sync, ui. cli/main.py registers them."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.completing import sweep_names
from pipeline.cli.options import Home, Name, Tracking


def sync(name: Name, home: Home = None, tracking_uri: Tracking = None) -> None:
    """Send what the tracker has not received."""
    from pipeline.sweeps.sweep import Sweep
    from pipeline.tracking.tracker import sync as send

    sweep = Sweep.open(name, home=home, tracking_uri=tracking_uri)
    typer.echo(f"{send(sweep.folder, sweep.tracking_uri)} lines sent to {sweep.tracking_uri}", err=True)


def ui(
    name: Annotated[str | None, typer.Argument(help="A sweep's name.", autocompletion=sweep_names)] = None,
    compare: Annotated[
        str | None, typer.Option(metavar="TRIAL,TRIAL,...", help="MLflow's page that compares these trials.")
    ] = None,
    home: Home = None,
    tracking_uri: Tracking = None,
) -> None:
    """MLflow's page on the sweep; starts the local server if there is none."""
    from pipeline.record.home import home_of
    from pipeline.sweeps.sweep import Sweep
    from pipeline.tracking.mlflow.location import asked, default_uri, of_home, settled
    from pipeline.tracking.tracker import ui as serve

    trials = _compared(name, compare)
    if name:
        uri = Sweep.open(name, home=home, tracking_uri=tracking_uri).tracking_uri
    else:
        named, by = asked(tracking_uri)
        place = home_of(home)
        uri = of_home(settled(named, place, by), place) if named else default_uri(place)
    print(serve(home_of(home), uri, name, trials))


def _compared(name: str | None, text: str | None) -> tuple[int, ...]:
    """The trials that --compare names."""
    from pipeline.errors import InputError

    if text is None:
        return ()
    parts = [part.strip() for part in text.split(",")]
    trials = tuple(dict.fromkeys(int(part) for part in parts if part.isdecimal()))
    if name is None or len(trials) < 2 or not all(part.isdecimal() for part in parts):
        raise InputError(
            f"--compare: found {text}; valid: two or more trials of a sweep: gansweep ui NAME --compare 3,7"
        )
    return trials
