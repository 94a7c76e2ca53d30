"""The verb that confirms: pick. cli/main.py registers it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pipeline.cli.options import DataPlace, DataRoot, GpuHours, Home, Json, MaxTime, Name, Storage, seconds
from pipeline.record.log import dumps


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
    data: DataPlace = None,
    data_root: DataRoot = None,
    home: Home = None,
    storage: Storage = None,
    as_json: Json = False,
) -> None:
    """Confirm the finalists of a sweep on fresh seeds; writes best.yaml. Called again, it goes on."""
    from pipeline.cli.ending import after_pick, at_work, documented, not_sent
    from pipeline.cli.terminal import LiveView
    from pipeline.picking.neighbours import verb
    from pipeline.picking.plateau import plateau
    from pipeline.picking.verdict import standing
    from pipeline.report.insight import insight
    from pipeline.report.pick_tables import live, neighbours, table
    from pipeline.report.spending import spending
    from pipeline.report.verdict import conclusions, robustness
    from pipeline.sweeps.sweep import Sweep

    wanted = asked(perturb, perturb_choices)
    root = str(data_root) if data_root else None
    limits = {"max_time": seconds(max_time), "gpu_hours": gpu_hours, "storage": storage}
    sweep = Sweep.open(name, home=home, data=data, data_root=root, **limits)
    before = sweep.state()
    top, seeds = sweep.asked_of_pick(top, seeds, before)
    sweep.finalists(top, seeds, before)  # what is wrong with the input is one line and nothing else

    def so_far() -> dict[str, Any]:
        verdict = standing(sweep.state())
        return verdict.document() if verdict else {}

    with documented(as_json, so_far), at_work(sweep, verb(wanted)) as (console, stdout):
        watch = LiveView(console, live, lambda state: [*state.confirmations, *state.perturbed])
        verdict = sweep.pick(top, seeds, watch, wanted)
        console.print(table(verdict, console.width))
        state = sweep.state()
        lines, around = conclusions(verdict, state), plateau(state) if wanted else None
        if around is not None:
            console.print(neighbours(around, console.width))
            lines += robustness(around)
        last = [*insight(state, verdict.best.trial), *not_sent(sweep), *after_pick(sweep)]
        for line in [*lines, spending(state), *last]:
            console.print(line, highlight=False, soft_wrap=True)
        if as_json:
            print(dumps(verdict.document() | ({"plateau": around.document()} if around else {})), file=stdout)


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
