"""The command line: verbs only. Heavy imports are inside each verb, so that --help is quick."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline import cli_single
from pipeline.errors import GansweepError
from pipeline.options import GpuHours, Home, Json, MaxTime, Name, Overrides, Space, Tracking, Trials
from pipeline.record import dumps

UsageError: Any = typer.BadParameter.__mro__[1]  # typer carries a click of its own and does not name all of it

app = typer.Typer(
    name="gansweep",
    help="GAN hyperparameters that hold.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
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
    storage: Annotated[Path | None, typer.Option(help="A path that all nodes share, in place of the home.")] = None,
    tracking_uri: Tracking = None,
    address: Annotated[str | None, typer.Option(help="A Ray cluster: auto, or HOST:PORT.")] = None,
    gpus_per_trial: Annotated[float, typer.Option(min=0, help="A share such as 0.5 puts two runs on a GPU.")] = 0.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be searched and what it costs.")] = False,
    as_json: Json = False,
) -> None:
    """Launch a sweep."""
    from pipeline.sweep import Sweep

    changes = [f"data.name={data}"] if data else []
    sweep = Sweep.from_file(
        space,
        [*(overrides or []), *changes],
        name=name,
        home=home,
        storage=storage,
        trials=trials,
        seed=seed,
        data_root=str(data_root) if data_root else None,
        tracking_uri=tracking_uri,
        address=address,
        gpus_per_trial=gpus_per_trial,
        concurrency=concurrency,
        max_time=seconds(max_time),
        gpu_hours=gpu_hours,
        looking=dry_run,
    )
    for notice in sweep.file.notices:
        typer.echo(f"note: {notice}", err=True)
    if dry_run:
        from pipeline.report.dryrun import dry_run as describe

        describe(sweep, as_json)
    else:
        drive(sweep, as_json)


@app.command()
def resume(
    name: Name,
    trials: Trials = None,
    max_time: MaxTime = None,
    gpu_hours: GpuHours = None,
    concurrency: Annotated[int | None, typer.Option(min=1)] = None,
    home: Home = None,
    tracking_uri: Tracking = None,
    address: Annotated[str | None, typer.Option()] = None,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="Go on though data or code of your own have changed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Go on where a sweep stopped, whatever stopped it."""
    from pipeline.sweep import Sweep

    drive(
        Sweep.open(
            name,
            home=home,
            trials=trials,
            max_time=seconds(max_time),
            gpu_hours=gpu_hours,
            concurrency=concurrency,
            tracking_uri=tracking_uri,
            address=address,
        ),
        as_json,
        accept_changes,
    )


def drive(sweep: Any, as_json: bool, accept_changes: bool = False) -> None:
    """Runs the sweep and says at the end what came out."""
    from pipeline.console import Progress, leaderboard, summary
    from pipeline.report.insight import insight
    from pipeline.report.spending import spending
    from pipeline.session import after_run, at_work, not_sent

    with at_work(sweep, "resume") as (console, stdout):
        state = sweep.run(Progress(console), accept_changes)
        console.print(leaderboard(state, console.width))
        best = state.best_trial
        for line in [
            *summary(state),
            spending(state),
            *insight(state, best.number if best else None),
            *not_sent(sweep),
            *after_run(sweep),
        ]:
            console.print(line, highlight=False, soft_wrap=True)
        if as_json:
            print(dumps(document(sweep)), file=stdout)


def document(sweep: Any) -> dict[str, Any]:
    from pipeline.report.status import status_document
    from pipeline.tracking.memory import backlog
    from pipeline.tracking.tracker import run_ids

    return status_document(sweep.state, sweep.folder, run_ids(sweep.folder), backlog(sweep.folder, sweep.tracking_uri))


@app.command()
def status(
    name: Annotated[str | None, typer.Argument(help="A sweep's name; all of them without it.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """What a sweep, or every sweep, has reached."""
    from rich.console import Console

    from pipeline.console import leaderboard, overview, summary
    from pipeline.home import names
    from pipeline.report.status import sweep_state
    from pipeline.sweep import Sweep

    if name is None:
        sweeps = [Sweep.open(each, home=home) for each in names(home)]
        if as_json:
            print(dumps([document(sweep) for sweep in sweeps]))
        else:
            Console().print(overview([(sweep.state, sweep_state(sweep.state, sweep.folder)) for sweep in sweeps]))
        return
    sweep = Sweep.open(name, home=home)
    if as_json:
        print(dumps(document(sweep)))
        return
    from pipeline.picking.plateau import plateau
    from pipeline.picking.screen import table
    from pipeline.picking.verdict import standing
    from pipeline.picking.words import conclusions, robustness
    from pipeline.report.insight import insight

    console = Console()
    console.print(leaderboard(sweep.state, console.width, rows=50))
    console.print(f"state: {sweep_state(sweep.state, sweep.folder)}", highlight=False)
    best = sweep.state.best_trial
    for line in [*summary(sweep.state), *insight(sweep.state, best.number if best else None)]:
        console.print(line, highlight=False, soft_wrap=True)
    if (found := standing(sweep.state)) is not None:
        console.print()
        console.print(table(found, console.width))
        around = plateau(sweep.state)
        for line in [*conclusions(found, sweep.state), *(robustness(around) if around else [])]:
            console.print(line, highlight=False, soft_wrap=True)


@app.command()
def pick(
    name: Name,
    top: Annotated[
        int | None,
        typer.Option(min=1, help="How many of the best by score are finalists; 3. Of several objectives: the front."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Fresh seeds for those that can still win; 5. The others get 3.")
    ] = None,
    perturb: Annotated[
        float | None, typer.Option(help="Move the winner's numbers by this factor: what breaks?")
    ] = None,
    perturb_choices: Annotated[bool, typer.Option("--perturb-choices", help="Its choices too.")] = False,
    max_time: MaxTime = None,
    gpu_hours: GpuHours = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Confirm the finalists of a sweep on fresh seeds; writes best.yaml. Called again, it goes on."""
    from pipeline.console import Progress
    from pipeline.picking.neighbours import verb
    from pipeline.picking.plateau import plateau
    from pipeline.picking.screen import live, neighbours, table
    from pipeline.picking.words import conclusions, robustness
    from pipeline.report.insight import insight
    from pipeline.report.spending import spending
    from pipeline.session import after_pick, at_work, not_sent
    from pipeline.sweep import Sweep

    wanted = asked(perturb, perturb_choices)
    sweep = Sweep.open(name, home=home, max_time=seconds(max_time), gpu_hours=gpu_hours)
    top, seeds = sweep.asked_of_pick(top, seeds)
    sweep.finalists(top, seeds)  # what is wrong with the input is one line and nothing else
    with at_work(sweep, verb(wanted)) as (console, stdout):
        watch = Progress(console, live, lambda state: [*state.confirmations, *state.perturbed])
        found = sweep.pick(top, seeds, watch, wanted)
        console.print(table(found, console.width))
        state = sweep.state
        lines, around = conclusions(found, state), plateau(state) if wanted else None
        if around is not None:
            console.print(neighbours(around, console.width))
            lines += robustness(around)
        last = [*insight(state, found.best.trial), *not_sent(sweep), *after_pick(sweep)]
        for line in [*lines, spending(state), *last]:
            console.print(line, highlight=False, soft_wrap=True)
        if as_json:
            print(dumps(found.document() | ({"plateau": around.document()} if around else {})), file=stdout)


def asked(perturb: float | None, choices: bool) -> Any:
    """The perturbation that the options of pick ask for, None without one."""
    from pipeline.errors import InputError
    from pipeline.picking.neighbours import Perturbation

    if perturb is None:
        if choices:
            raise InputError("--perturb-choices: found without --perturb; valid: with --perturb FACTOR, such as 1.5")
        return None
    wanted = Perturbation(perturb, choices)
    wanted.check()
    return wanted


@app.command()
def stop(name: Name, home: Home = None) -> None:
    """End a running sweep or pick from another terminal; it can be gone on with."""
    from pipeline import lock
    from pipeline.errors import InputError
    from pipeline.home import STOP, command
    from pipeline.sweep import Sweep

    sweep = Sweep.open(name, home=home)
    folder, verb = sweep.folder, "pick" if sweep.state.picker.get("state") == "started" else "resume"
    if lock.holder(folder) is None:
        raise InputError(f"{name} is not running; its state: {command('status', folder)}")
    (folder / STOP).write_text("")
    typer.echo(f"{name} ends within seconds; go on with: {command(verb, folder)}", err=True)


@app.command()
def sync(name: Name, home: Home = None, tracking_uri: Tracking = None) -> None:
    """Send what the tracker has not received."""
    from pipeline.sweep import Sweep
    from pipeline.tracking.tracker import sync as send

    sweep = Sweep.open(name, home=home, tracking_uri=tracking_uri)
    typer.echo(f"{send(sweep.folder, sweep.tracking_uri)} lines sent to {sweep.tracking_uri}", err=True)


@app.command()
def ui(
    name: Annotated[str | None, typer.Argument(help="A sweep's name.")] = None,
    home: Home = None,
    tracking_uri: Tracking = None,
) -> None:
    """MLflow's page on the sweep; starts the local server if there is none."""
    from pipeline.home import home_of
    from pipeline.sweep import Sweep
    from pipeline.tracking.tracker import default_uri
    from pipeline.tracking.tracker import ui as serve

    uri = Sweep.open(name, home=home, tracking_uri=tracking_uri).tracking_uri if name else tracking_uri
    print(serve(home_of(home), uri or default_uri(home_of(home)), name))


cli_single.register(app)


@app.command()
def spaces() -> None:
    """The presets, with what each searches."""
    from rich.console import Console

    from pipeline.console import presets_table

    Console().print(presets_table())


@app.command()
def doctor(home: Home = None, data_root: Annotated[Path | None, typer.Option()] = None, as_json: Json = False) -> None:
    """What this machine has: GPU, Ray, MLflow, data; what is missing and how to get it."""
    from pipeline.doctor import examine

    raise typer.Exit(examine(home, data_root, as_json))


def seconds(text: str | None) -> float | None:
    """90, 90s, 20m or 2h."""
    from pipeline.errors import InputError

    if text is None:
        return None
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        found = float(number) * unit
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise InputError(f"--max-time: found {text}; valid: 90s, 20m, 2h")
    return found


def main() -> None:
    """The entry point: errors of ours are one line and their exit code; no traceback."""
    guarded(app)()


def guarded(command: Callable[..., Any]) -> Callable[[], None]:
    """`command`, an app of typer or what calls one, must take standalone_mode and hand back its exit code."""

    def call() -> None:
        try:
            code = command(standalone_mode=False)
            sys.exit(code if isinstance(code, int) else 0)
        except GansweepError as error:
            print(f"gansweep: {' '.join(str(error).splitlines())}", file=sys.stderr)
            sys.exit(error.exit_code)
        except UsageError as error:  # standalone, it would be four lines
            said, command_path = error.format_message(), error.ctx.command_path
            if said.startswith("Usage:"):  # no verb at all: the whole help is of more use than a line
                print(said, file=sys.stderr)
            else:
                print(f"gansweep: {' '.join(said.split())} (see: {command_path} --help)", file=sys.stderr)
            sys.exit(2)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            sys.exit(130)
        except BrokenPipeError:
            sys.exit(1)

    return call


if __name__ == "__main__":
    main()
