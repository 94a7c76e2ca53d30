"""The verbs of one configuration: train, generate, conform. cli/main.py registers them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import DataRoot, Home, Json, Overrides, Space


def train(
    spec: Space,
    seed: Annotated[int, typer.Option(min=0, help="The run's seed.")] = 0,
    budget: Annotated[int | None, typer.Option(min=1, help="Images, in place of the file's.")] = None,
    overrides: Overrides = None,
    data_root: DataRoot = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Folder; default ./runs/NAME-seed-SEED.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Train one configuration, without a search; a preset's is its first known-good one."""
    from pipeline.cli.train import train as train_one

    try:
        train_one(
            spec,
            seed=seed,
            budget=budget,
            overrides=overrides or [],
            root=data_root,
            out=out,
            home=home,
            as_json=as_json,
        )
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command goes on where it stopped", err=True)
        raise typer.Exit(130) from None


def generate(
    path: Annotated[Path, typer.Argument(help="A checkpoint, or the folder of a run (its best one then).")],
    count: Annotated[int | None, typer.Option("-n", min=1, help="How many samples; default 64.")] = None,
    columns: Annotated[int | None, typer.Option(min=1, help="Of the picture; default a square.")] = None,
    label: Annotated[
        str | None, typer.Option("--class", help="Its name or number; all: a row of each; list: shows them.")
    ] = None,
    truncation: Annotated[
        float | None, typer.Option(help="Gaussian latents within it, in deviations; of stylegan2 its psi.")
    ] = None,
    interpolate: Annotated[str | None, typer.Option(help="Each row a way: spherical or linear.")] = None,
    explore: Annotated[
        str | None,
        typer.Option(help="directions (SeFa), and of stylegan2 mixing and truncation; -n rows, of --columns steps."),
    ] = None,
    strength: Annotated[float | None, typer.Option(help="Of directions, in deviations; default 3.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the latents.")] = 0,
    trust_code: Annotated[
        bool, typer.Option("--trust-code", help="Run code that a checkpoint from elsewhere names.")
    ] = False,
    translate: Annotated[Path | None, typer.Option(help="A folder of images, of a translation's checkpoint.")] = None,
    enlarge: Annotated[
        Path | None, typer.Option(help="A folder of images, of a checkpoint of super-resolution.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="The domain that they are translated into: a or b.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="samples.png for a grid, .npz for the arrays; a folder of --translate, --enlarge."
        ),
    ] = None,
) -> None:
    """Samples from a checkpoint, or a folder of images translated or enlarged by one."""
    from pipeline.errors import InputError
    from pipeline.sampling.enlarging import enlarge as enlarge_with
    from pipeline.sampling.generating import generate as generate_from
    from pipeline.sampling.translating import Translation
    from pipeline.sampling.translating import translate as translate_with
    from pipeline.sampling.wanted import Wanted

    wanted = Wanted(count, columns, label, truncation, interpolate, explore, strength)
    if (translate or enlarge) and wanted != Wanted():
        option, valid = ("--translate", "--to") if translate else ("--enlarge", "alone")
        raise InputError(
            f"{option}: found with -n, --columns, --class, --truncation, --interpolate, --explore or --strength; "
            f"valid: {valid}"
        )
    if translate and enlarge:
        raise InputError("--enlarge: found with --translate; valid: one of them")
    if translate is not None:
        where = out or Path("translated")
        typer.echo(translate_with(path, Translation(translate, to, where, seed), trust_code), err=True)
        return
    if to is not None:
        raise InputError(f"--to: found {to} without --translate; valid: with a folder to translate")
    if enlarge is not None:
        typer.echo(enlarge_with(path, enlarge, out or Path("enlarged"), trust=trust_code), err=True)
        return
    said = generate_from(path, wanted, seed, out or Path("samples.png"), trust=trust_code)
    typer.echo(said, err=label != "list")


def conform(
    part: Annotated[str, typer.Argument(help='"my_gan.py:MyGame", or a space that names parts of your own.')],
    kind: Annotated[
        str, typer.Option("--as", help="game, objective, generator, discriminator, regulariser or metric.")
    ] = "game",
    overrides: Overrides = None,
) -> None:
    """Hold a part of your own to what the training asks of one; says what is wrong."""
    from pipeline.conformance.checks import KINDS, TOY
    from pipeline.conformance.checks import conform as check
    from pipeline.errors import GansweepError, InputError, one_of
    from pipeline.schema.base import parse
    from pipeline.schema.trial import TrialSpec, resolve
    from pipeline.space.load import load_trial
    from pipeline.space.override import override

    if kind not in KINDS:
        raise InputError(f'--as: found "{kind}", {one_of(kind, KINDS)}')
    if part.endswith(".py"):
        raise InputError(f"{part}: found a file; valid: {part}:NAME, of the part in it")
    if ".py:" in part:
        spec = parse(TrialSpec, override({**TOY, **KINDS[kind](part)}, overrides or []), part)
    else:
        spec = load_trial(part, overrides or [])[0]
    wrong = 0
    for checked in check(resolve(spec.model_copy(update={"batch_size": 16, "microbatch": None}), cuda=False)):
        typer.echo(
            f"{'ok    ' if checked.wrong is None else 'WRONG '} {checked.name}"
            + (f": {checked.wrong}" if checked.wrong else "")
        )
        wrong += checked.wrong is not None
    if wrong:
        raise GansweepError(f"{part}: {wrong} of the checks failed")
