"""The options and arguments that several verbs have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.completing import preset_names, sweep_names
from pipeline.errors import InputError

UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
Space = Annotated[
    str,
    typer.Argument(help="A YAML file or a preset's name (see: gansweep spaces).", autocompletion=preset_names),
]
Name = Annotated[str, typer.Argument(help="A sweep's name.", autocompletion=sweep_names)]
Home = Annotated[Path | None, typer.Option(help="Where sweeps are; else GANSWEEP_HOME, else ./sweeps.")]
DataPlace = Annotated[str | None, typer.Option("--data", help="Where the sweep's data are now: imagefolder:PATH.")]
DataRoot = Annotated[Path | None, typer.Option(help="Where downloaded data sets are or go.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Tracking = Annotated[str | None, typer.Option(help="MLflow's tracking URI; default sqlite:///HOME/mlflow.db.")]
GpuHours = Annotated[
    float | None, typer.Option(min=0.001, help="What this call may spend: GPU-hours, core-hours of runs without a GPU.")
]
MaxTime = Annotated[str | None, typer.Option(help="Stop after this long: 90s, 20m, 2h.")]
Storage = Annotated[
    str | None, typer.Option(help="Where the sweep is kept for machines without a shared disk: s3://BUCKET/FOLDER.")
]
Trials = Annotated[int | None, typer.Option(min=1, help="How many trials the sweep is to have.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Dotted key; repeatable.")]


CpusPerTrial = Annotated[
    float, typer.Option(min=0.01, help="Cores, and threads, of a run; a share such as 0.5 puts two runs on a core.")
]
GpusPerTrial = Annotated[float, typer.Option(min=0, help="A share such as 0.5 puts two runs on a GPU.")]
MemoryPerTrial = Annotated[
    str | None,
    typer.Option(help="What a run takes of a node's memory: 512M, 4G; default none is set aside."),
]


def size(text: str | None) -> float | None:
    """512M, 4G or 1T, of 1024; bytes without a letter."""
    if text is None:
        return None
    number, unit = text.upper().removesuffix("B").removesuffix("I"), 1
    if number[-1:] in UNITS:
        number, unit = number[:-1], UNITS[number[-1]]
    try:
        amount = float(number) * unit
    except ValueError:
        amount = 0.0
    if not 1 <= amount < float("inf"):
        raise InputError(f"--memory-per-trial: found {text}; valid: 512M, 4G")
    return float(int(amount))


def seconds(text: str | None) -> float | None:
    """90, 90s, 20m or 2h."""
    if text is None:
        return None
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        length = float(number) * unit
    except ValueError:
        length = 0.0
    if not 0 < length < float("inf"):
        raise InputError(f"--max-time: found {text}; valid: 90s, 20m, 2h")
    return length
