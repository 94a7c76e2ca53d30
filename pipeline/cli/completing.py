"""What a shell completes beside verbs and options: the names of sweeps, of presets, of trials. It loads little, and no
error of it is shown."""

from __future__ import annotations

import typer


def sweep_names(context: typer.Context) -> list[str]:
    """Those in the home that the command line names so far."""
    from pipeline.record.home import names

    try:
        return names(context.params.get("home"))
    except OSError:
        return []


def preset_names() -> list[str]:
    """All of them."""
    from pipeline.space.load import presets

    return list(presets())


def trial_numbers(context: typer.Context) -> list[str]:
    """Of the sweep that the command line names."""
    from pipeline.errors import GansweepError
    from pipeline.record.home import TRIALS, existing

    try:
        trials = existing(context.params.get("name") or "", context.params.get("home")) / TRIALS
        return sorted((each.name for each in trials.iterdir()), key=lambda name: (len(name), name))
    except (GansweepError, OSError):
        return []
