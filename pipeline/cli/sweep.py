"""The verbs that drive a sweep: run, resume. cli/main.py registers them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.options import (
    CpusPerTrial,
    DataPlace,
    DataRoot,
    GpuHours,
    GpusPerTrial,
    Home,
    Json,
    MaxTime,
    MemoryPerTrial,
    Name,
    Overrides,
    Space,
    Storage,
    Tracking,
    Trials,
    seconds,
    size,
)
from pipeline.cli.status import document
from pipeline.record.log import dumps

if TYPE_CHECKING:
    from pipeline.sweeps.sweep import Sweep


def run(
    space: Space,
    name: Annotated[str | None, typer.Option(help="The sweep's name; default the preset's or the file's.")] = None,
    trials: Trials = None,
    concurrency: Annotated[int | None, typer.Option(min=1, help="Runs at a time.")] = None,
    max_time: MaxTime = None,
    gpu_hours: GpuHours = None,
    data: Annotated[str | None, typer.Option(help="Another data set: the same as --set data.name=...")] = None,
    data_root: Annotated[Path | None, typer.Option(help="Where downloaded data sets are or go.")] = None,
    overrides: Overrides = None,
    seed: Annotated[int | None, typer.Option(min=0, help="The sweep's seed.")] = None,
    home: Home = None,
    storage: Annotated[
        str | None,
        typer.Option(help="s3://BUCKET/FOLDER, where nodes share no disk; a path that they do is taken for the home."),
    ] = None,
    tracking_uri: Tracking = None,
    address: Annotated[
        str | None, typer.Option(help="A Ray cluster: auto, HOST:PORT, or of its dashboard http://HEAD:8265.")
    ] = None,
    cpus_per_trial: CpusPerTrial = 1.0,
    gpus_per_trial: GpusPerTrial = 0.0,
    memory_per_trial: MemoryPerTrial = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a sweep of this name has begun.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be searched and what it costs.")] = False,
    as_json: Json = False,
) -> None:
    """Launch a sweep. With --resume one command for whoever starts it again (Slurm, Kubernetes): it ends with 75 where
    another driver is at the sweep, to be tried later."""
    from pipeline.errors import LATER, Busy, InputError
    from pipeline.record.home import begun, folder_of, name_of
    from pipeline.storage.storage import is_url
    from pipeline.sweeps.bringing import stored
    from pipeline.sweeps.submitting import is_dashboard
    from pipeline.sweeps.sweep import Sweep
    from pipeline.tracking.mlflow.location import asked

    launch: dict[str, Any] = {
        "data_root": str(data_root) if data_root else None,
        "tracking_uri": tracking_uri,
        "address": address,
        "concurrency": concurrency,
        "max_time": seconds(max_time),
        "gpu_hours": gpu_hours,
    }
    launch |= {"cpus_per_trial": cpus_per_trial} if cpus_per_trial != 1 else {}
    launch |= {"gpus_per_trial": gpus_per_trial} if gpus_per_trial else {}
    launch |= {"memory_per_trial": memory} if (memory := size(memory_per_trial)) else {}
    changes = [f"data.name={data}"] if data else []
    if address and is_dashboard(address) and not dry_run:
        from pipeline.cli import submitted

        if as_json:
            raise InputError("--json: found with a dashboard's --address; valid: gansweep status NAME --json")
        handed_on: dict[str, Any] = {
            "--name": name,
            "--home": home,
            "--storage": storage,
            "--tracking-uri": asked(tracking_uri)[0],
            "--trials": trials,
            "--concurrency": concurrency,
            "--max-time": max_time,
            "--gpu-hours": gpu_hours,
            "--data-root": data_root,
            "--cpus-per-trial": launch.get("cpus_per_trial"),
            "--gpus-per-trial": launch.get("gpus_per_trial"),
            "--memory-per-trial": memory_per_trial,
        }
        submitted.run(address, space, [*(overrides or []), *changes], handed_on, trials=trials, seed=seed)
        return
    place = None if storage and is_url(storage) else storage
    there = folder_of(name or name_of(Path(space).stem), place or home)
    if storage and not place:
        launch["storage"] = storage
    if resume and not dry_run and (begun(there) or (storage and not place and stored(there.name, storage))):
        typer.echo(f"note: {there.name} has begun, and goes on as it was begun", err=True)
        try:
            drive(Sweep.open(there.name, home=there.parent, trials=trials, **launch), as_json)
        except Busy as error:
            error.exit_code = LATER
            raise
        return
    told: dict[str, Any] = {
        "name": name,
        "home": home,
        "storage": launch.pop("storage", place),
        "trials": trials,
        "seed": seed,
        "looking": dry_run,
    }
    sweep = Sweep.from_file(space, [*(overrides or []), *changes], **told, **launch)
    if sweep.launch.tracking_uri and not tracking_uri:
        typer.echo(f"tracking: {sweep.tracking_uri} (MLFLOW_TRACKING_URI)", err=True)
    for notice in sweep.file.notices:
        typer.echo(f"note: {notice}", err=True)
    if dry_run:
        from pipeline.cli.dryrun import dry_run as describe

        describe(sweep, as_json)
    else:
        drive(sweep, as_json)


def resume(
    name: Name,
    trials: Trials = None,
    max_time: MaxTime = None,
    gpu_hours: GpuHours = None,
    concurrency: Annotated[int | None, typer.Option(min=1, help="Runs at a time.")] = None,
    data: DataPlace = None,
    data_root: DataRoot = None,
    home: Home = None,
    tracking_uri: Tracking = None,
    address: Annotated[str | None, typer.Option(help="A Ray cluster: auto, or HOST:PORT.")] = None,
    storage: Storage = None,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="Go on though data or code of your own have changed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Go on where a sweep stopped, whatever stopped it."""
    from pipeline.sweeps.sweep import Sweep

    drive(
        Sweep.open(
            name,
            home=home,
            data=data,
            data_root=str(data_root) if data_root else None,
            trials=trials,
            max_time=seconds(max_time),
            gpu_hours=gpu_hours,
            concurrency=concurrency,
            tracking_uri=tracking_uri,
            address=address,
            storage=storage,
        ),
        as_json,
        accept_changes,
    )


def drive(sweep: Sweep, as_json: bool, accept_changes: bool = False) -> None:
    """Runs the sweep and says at the end what came out."""
    from pipeline.cli.ending import after_run, at_work, documented, not_sent
    from pipeline.cli.terminal import LiveView
    from pipeline.record.home import begun
    from pipeline.report.audit import audited
    from pipeline.report.insight import insight
    from pipeline.report.spending import evaluation, spending
    from pipeline.report.summary import summary
    from pipeline.report.tables import leaderboard

    so_far = documented(as_json, lambda: document(sweep, sweep.state()) if begun(sweep.folder) else {})
    with so_far, at_work(sweep, "resume") as (console, stdout):
        state = sweep.run(LiveView(console), accept_changes)
        console.print(leaderboard(state, console.width))
        best = state.best_trial
        for line in [
            *summary(state),
            spending(state),
            *evaluation(state),
            *audited(state),
            *insight(state, best.number if best else None),
            *not_sent(sweep),
            *after_run(sweep, state),
        ]:
            console.print(line, highlight=False, soft_wrap=True)
        if as_json:
            print(dumps(document(sweep, state)), file=stdout)
