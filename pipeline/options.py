"""The options and arguments that several verbs have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Space = Annotated[str, typer.Argument(help="A YAML file or a preset's name (see: gansweep spaces).")]
Name = Annotated[str, typer.Argument(help="A sweep's name.")]
Home = Annotated[Path | None, typer.Option(help="Where sweeps are; else GANSWEEP_HOME, else ./sweeps.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Tracking = Annotated[str | None, typer.Option(help="MLflow's tracking URI; default sqlite:///HOME/mlflow.db.")]
GpuHours = Annotated[
    float | None, typer.Option(min=0.001, help="What this call may spend: GPU-hours, core-hours of runs without a GPU.")
]
MaxTime = Annotated[str | None, typer.Option(help="Stop after this long: 90s, 20m, 2h.")]
Trials = Annotated[int | None, typer.Option(min=1, help="How many trials the sweep is to have.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Dotted key; repeatable.")]
