"""A verb at work on a sweep: where its output goes, how an end is told, and what to type next."""

from __future__ import annotations

import shlex
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

import typer
from rich.console import Console

from pipeline.cli.terminal import Log, logged_to
from pipeline.errors import GansweepError, one_line
from pipeline.record.home import BEST, LOG, begun, command, option
from pipeline.record.log import dumps
from pipeline.record.state import SweepState
from pipeline.sweeps.sweep import Sweep


@contextmanager
def documented(as_json: bool, document: Callable[[], dict[str, Any]]) -> Iterator[None]:
    """Where the verb fails, --json prints what there is all the same: an error takes the document along, an
    interruption is printed here, for the exit that it ends in has no text."""
    if not as_json:
        yield
        return
    try:
        yield
    except GansweepError as error:
        with suppress(GansweepError, OSError):
            error.document = document()
        raise
    except typer.Exit as end:
        if end.exit_code:
            with suppress(GansweepError, OSError):
                print(dumps({**document(), "error": "interrupted", "exit_code": end.exit_code}))
        raise


@contextmanager
def at_work(sweep: Sweep, again: str) -> Iterator[tuple[Console, TextIO]]:
    """Everything but the progress goes to the sweep's log; `again`: the verb that goes on after an interruption."""
    log = sweep.folder / LOG
    with logged_to(log) as (console, stdout, mine):
        try:
            console.print(
                f"sweep {sweep.name} in {sweep.folder}; everything else is in its {LOG}",
                highlight=False,
                soft_wrap=True,
            )
            yield console, stdout
        except KeyboardInterrupt:
            _leave_nothing(sweep, mine)
            console.print(interrupted(sweep, again), highlight=False, soft_wrap=True)
            raise typer.Exit(130) from None
        except GansweepError:
            _leave_nothing(sweep, mine)
            raise
        except Exception as error:
            with suppress(OSError):  # its disk may be full
                traceback.print_exc()  # into the log
            on = f"; go on with: {command(again, sweep.folder)}" if begun(sweep.folder) else ""
            raise GansweepError(f"{one_line(error, -1)}; the traceback is in {log}{on}") from None


def _leave_nothing(sweep: Sweep, log: Log) -> None:
    """Of a sweep that was refused before its first line there is no log either."""
    if not begun(sweep.folder):
        log.remove()


def interrupted(sweep: Sweep, again: str) -> str:
    if not begun(sweep.folder):
        return "interrupted before the first trial; nothing was begun"
    return f"interrupted; go on with: {command(again, sweep.folder)}"


def after_run(sweep: Sweep, state: SweepState) -> list[str]:
    """What to type after a search."""
    home, trials = option(sweep.folder), 2 * len(state.trials)
    return _commands(
        (f"pick {sweep.name}{home}", "confirm the best on fresh seeds: it may have been lucky"),
        (f"ui {sweep.name}{home}", "compare the trials in MLflow"),
        (f"status {sweep.name}{home}", "the table again; --json for programs"),
        (f"resume {sweep.name}{home} --trials {trials}", "search on"),
    )


def after_pick(sweep: Sweep) -> list[str]:
    """What to type after a pick."""
    return _commands(
        (f"train {shlex.quote(str(sweep.folder / BEST))}", "train it; the evidence is in its comments"),
        (f"ui {sweep.name}{option(sweep.folder)}", "compare the seeds in MLflow"),
    )


def not_sent(sweep: Sweep) -> list[str]:
    """The one warning where the tracker has not all of it; the sweep is none the worse."""
    from pipeline.tracking.memory import backlog
    from pipeline.tracking.mlflow.location import check

    lines = backlog(sweep.folder, sweep.tracking_uri)
    if not lines:
        return []
    why = f"tracker {sweep.tracking_uri} has not received all"
    try:
        check(sweep.tracking_uri)
    except GansweepError as error:
        why = str(error)
    return [f"warning: {why}; {lines} lines wait, send them with: {command('sync', sweep.folder)}"]


def _commands(*commands: tuple[str, str]) -> list[str]:
    wide = max(len(command) for command, _ in commands)
    return ["", "next:", *(f"  gansweep {command:{wide}}    {why}" for command, why in commands)]
