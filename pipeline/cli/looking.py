"""A sweep that a verb looks at and leaves as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pipeline.record.state import SweepState
    from pipeline.sweeps.setup import Setup


def looked_at(name: str, home: Path | None, storage: str | None) -> tuple[Setup, SweepState]:
    """With a note where the sweep is in a bucket, which was not looked at, and no driver of this machine is at work on
    it: what is here is what it was when it was last here."""
    from pipeline.record import lock
    from pipeline.sweeps.setup import Setup

    sweep, state = Setup.looked_at(name, home, storage)
    if (there := sweep.launch.storage) and not storage and not lock.holder(sweep.folder):
        typer.echo(f"note: {name} is in {there}; this is what was last brought here: --storage {there} looks", err=True)
    return sweep, state
