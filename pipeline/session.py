"""A verb at work on a sweep: where its output goes, how an end is told, and what to type next."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import typer
from rich.console import Console

from pipeline.console import logged_to
from pipeline.errors import GansweepError
from pipeline.home import BEST, EVENTS, LOG, home_of
from pipeline.sweep import Sweep


@contextmanager
def at_work(sweep: Sweep, again: str) -> Iterator[tuple[Console, TextIO]]:
    """Everything but the progress goes to the sweep's log; `again`: the verb that goes on after an interruption."""
    log = sweep.folder / LOG
    with logged_to(log) as (console, stdout):
        try:
            console.print(
                f"sweep {sweep.name} in {sweep.folder}; everything else is in its {LOG}",
                highlight=False,
                soft_wrap=True,
            )
            yield console, stdout
        except KeyboardInterrupt:
            console.print(interrupted(sweep, again), highlight=False, soft_wrap=True)
            raise typer.Exit(130) from None
        except GansweepError:
            raise
        except Exception as error:
            traceback.print_exc()  # into the log
            said = str(error).strip().splitlines() or [""]
            raise GansweepError(f"{type(error).__name__}: {said[-1][:200]}; the traceback is in {log}") from None


def interrupted(sweep: Sweep, again: str) -> str:
    if not (sweep.folder / EVENTS).exists():
        return "interrupted before the first trial; nothing was begun"
    return f"interrupted; go on with: gansweep {again} {sweep.name}{home_option(sweep)}"


def after_run(sweep: Sweep) -> list[str]:
    """What to type after a search."""
    home, trials = home_option(sweep), 2 * len(sweep.state.trials)
    return _commands(
        (f"pick {sweep.name}{home}", "confirm the best on fresh seeds: one seed may have been luck"),
        (f"ui {sweep.name}{home}", "compare the trials in MLflow"),
        (f"status {sweep.name}{home}", "the table again; --json for programs"),
        (f"resume {sweep.name}{home} --trials {trials}", "search on"),
    )


def after_pick(sweep: Sweep) -> list[str]:
    """What to type after a pick."""
    return _commands(
        (f"train {sweep.folder / BEST}", "train it; the evidence is in its comments"),
        (f"ui {sweep.name}{home_option(sweep)}", "compare the seeds in MLflow"),
    )


def _commands(*commands: tuple[str, str]) -> list[str]:
    wide = max(len(command) for command, _ in commands)
    return ["", "next:", *(f"  gansweep {command:{wide}}    {why}" for command, why in commands)]


def home_option(sweep: Sweep) -> str:
    return "" if sweep.folder.parent == home_of() else f" --home {sweep.folder.parent}"
