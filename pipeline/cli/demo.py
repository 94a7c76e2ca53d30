"""`make demo`: the main job on embedded data. Run again it goes on with an unfinished sweep, or starts another."""

from __future__ import annotations

import sys

from pipeline.cli.main import app, guarded
from pipeline.errors import InputError
from pipeline.record import lock
from pipeline.record.home import free_name, home_of, names
from pipeline.report.status import sweep_state
from pipeline.sweeps.sweep import Sweep

NAME = "demo"


def arguments() -> list[str]:
    """The command that the demo is, as it would be typed."""
    ours = [name for name in names() if name == NAME or name.startswith(f"{NAME}-")]
    for name in reversed(ours):
        try:
            sweep = Sweep.open(name)
        except InputError as error:  # a damaged one: another name is taken
            print(f"demo: {error}", file=sys.stderr)
            continue
        if sweep_state(sweep.state(), sweep.folder) in ("interrupted", "failed"):
            return ["resume", name]
    running = [name for name in ours if lock.holder(home_of() / name)]
    if running:
        print(f"{', '.join(running)} is running at the same time; this one will be slower", file=sys.stderr)
    return ["run", "digits", "--name", free_name(home_of(), NAME)]


def main() -> None:
    command = arguments()
    print(f"$ gansweep {' '.join(command)}", file=sys.stderr)
    guarded(lambda **how: app(command, **how))()


if __name__ == "__main__":
    main()
