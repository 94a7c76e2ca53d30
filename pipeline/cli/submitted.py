"""run and stop of a sweep on a cluster that is elsewhere, by the address of its dashboard."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from pipeline.cluster.jobs import Dashboard, SweepThere
from pipeline.errors import InputError
from pipeline.sweeps.submitting import Order, place


def run(address: str, space: str, overrides: Sequence[str], options: Mapping[str, Any], **search: Any) -> None:
    """Submits the sweep, or finds the job that is at it, and says what the job says until it is over."""
    order = Order.of(space, overrides, options, **search)
    for notice in order.file.notices:
        typer.echo(f"note: {notice}", err=True)
    dashboard = Dashboard(address)
    sweep = SweepThere(order.name, order.home, order.storage or "")
    job = next(iter(dashboard.jobs_of(replace(sweep, home=None) if order.storage else sweep)), None)
    if job:
        typer.echo(f"note: {order.name} is at work as the job {job}, whose output follows", err=True)
    else:
        with tempfile.TemporaryDirectory(prefix="gansweep-") as folder:
            command = order.write(Path(folder))
            job = dashboard.submit(sweep, Path(folder), command)
        typer.echo(f"note: {order.name} is the job {job} of {dashboard.address}", err=True)
    try:
        code = dashboard.follow(job, _say)
    except KeyboardInterrupt:
        typer.echo(
            f"the job {job} goes on; the same command shows it again, gansweep stop {order.name} --address "
            f"{dashboard.address} {sweep.options} ends it",
            err=True,
        )
        raise typer.Exit(130) from None
    if code:
        typer.echo(f"the job {job} ended with {code}; the same command goes on with {order.name}", err=True)
        raise typer.Exit(code)


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def stop(address: str, name: str, home: Path | None, storage: str | None) -> None:
    """Asks the job that drives a sweep to end. home, storage: of which one, where several have the name."""
    wanted = SweepThere(name, *place(home, storage))
    dashboard = Dashboard(address)
    jobs = dashboard.jobs_of(wanted)
    if not jobs:
        with_them = f" with {wanted.options}" if wanted.options else ""
        raise InputError(f"{name} is not running at {dashboard.address}{with_them}")
    if len(jobs) > 1:
        ways = ", or ".join(sweep.options for sweep in jobs.values())
        raise InputError(f"{name}: found {len(jobs)} that run at {dashboard.address}; valid: with {ways}")
    (job,) = jobs
    dashboard.stop(job)
    typer.echo(f"{name} (the job {job}) ends within seconds; the same gansweep run goes on with it", err=True)
