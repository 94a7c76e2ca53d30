"""The command line: its verbs, and what an error looks like. Heavy imports are inside each verb, so that --help is
quick."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from pipeline.cli.completing import sweep_names
from pipeline.cli.judge import judge
from pipeline.cli.options import DataRoot, Home, Json
from pipeline.cli.pick import pick
from pipeline.cli.replay import replay
from pipeline.cli.review import compare, export, report, show
from pipeline.cli.single import conform, generate, train
from pipeline.cli.spaces import schema, spaces
from pipeline.cli.status import status, stop
from pipeline.cli.sweep import resume, run
from pipeline.cli.tracked import sync, ui
from pipeline.errors import GansweepError
from pipeline.tracking.mlflow.credentials import redact

UsageError: Any = typer.BadParameter.__mro__[1]  # typer carries a click of its own and does not name all of it


def doctor(
    name: Annotated[
        str | None, typer.Argument(help="A sweep whose record is to be looked through.", autocompletion=sweep_names)
    ] = None,
    home: Home = None,
    data_root: DataRoot = None,
    address: Annotated[
        str | None, typer.Option(help="A Ray cluster, whose nodes are looked at: auto, or HOST:PORT.")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Write what can be gone on with; the damaged record is kept.")
    ] = False,
    as_json: Json = False,
) -> None:
    """What this machine has: GPU, Ray, MLflow, data; what is missing and how to get it. With --address what each node
    of a cluster has; with NAME what is wrong with that sweep's record."""
    from pipeline.errors import InputError

    if name is None:
        from pipeline.cli.doctor import examine

        if repair:
            raise InputError("--repair: found without a sweep's name; valid: gansweep doctor NAME --repair")
        raise typer.Exit(examine(home, data_root, as_json, address))
    from pipeline.record.home import folder_of
    from pipeline.record.log import dumps
    from pipeline.sweeps.repair import doctor as look
    from pipeline.sweeps.repair import words

    code, document = look(folder_of(name, home), repair)
    if as_json:
        print(dumps(document))
    for line in [] if as_json else words(document):
        print(line)
    raise typer.Exit(code)


app = typer.Typer(
    name="gansweep",
    help="GAN hyperparameters that hold.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
VERBS = (
    *(
        run,
        resume,
        status,
        show,
        pick,
        report,
        judge,
        compare,
        export,
        replay,
        stop,
        sync,
        ui,
        train,
        generate,
        conform,
    ),
    *(spaces, schema, doctor),
)
for verb in VERBS:  # in the order of --help
    app.command()(verb)


def main() -> None:
    """The entry point: errors of ours are one line and their exit code; no traceback."""
    sys.argv[1:] = map(_expanded, sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):  # None where it was closed
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no dashes gets question marks
    guarded(app)()


def _expanded(argument: str) -> str:
    """A shell leaves ~ alone in --home=~/x, and there is none where an argument comes out of a file or a container."""
    option, equals, value = argument.rpartition("=") if argument.startswith("--") else ("", "", argument)
    return f"{option}{equals}{os.path.expanduser(value)}"


def guarded(command: Callable[..., Any]) -> Callable[[], None]:
    """`command`, an app of typer or what calls one, must take standalone_mode and hand back its exit code."""

    def call() -> None:
        try:
            code = command(standalone_mode=False)
            sys.exit(code if isinstance(code, int) else 0)
        except GansweepError as error:
            _as_json(error.document, redact(str(error)), error.exit_code)
            print(f"gansweep: {redact(' '.join(str(error).splitlines()))}", file=sys.stderr)
            sys.exit(error.exit_code)
        except UsageError as error:  # standalone, it would be four lines
            said, command_path = error.format_message(), error.ctx.command_path
            _as_json({}, said, 2)
            if said.startswith("Usage:"):  # no verb at all: the whole help is of more use than a line
                print(said, file=sys.stderr)
            else:
                print(f"gansweep: {' '.join(said.split())} (see: {command_path} --help)", file=sys.stderr)
            sys.exit(2)
        except KeyboardInterrupt:
            _as_json({}, "interrupted", 130)
            print("interrupted", file=sys.stderr)
            sys.exit(130)
        except BrokenPipeError:
            sys.exit(1)
        except OSError as error:
            where = error.filename or "what it prints or reads"
            print(f"gansweep: {where}: {error.strerror or error}", file=sys.stderr)
            if error.filename is None:  # what is left to print would fail once more at the exit
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.exit(1)

    return call


def _as_json(document: Mapping[str, Any] | None, error: str, exit_code: int) -> None:
    """What --json prints where the command fails: its document as far as there is one, and why."""
    if "--json" in sys.argv and document is not None:
        from pipeline.record.log import dumps

        print(dumps({**document, "error": " ".join(error.splitlines()), "exit_code": exit_code}))


if __name__ == "__main__":
    main()
