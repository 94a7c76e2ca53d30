"""The verbs that help to write a space: spaces, schema. cli/main.py registers them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.completing import preset_names
from pipeline.record.log import dumps

SCHEMA = "gansweep.schema.json"  # as the first line of each preset names it, beside the file


def spaces(
    preset: Annotated[str | None, typer.Argument(help="One of them, as its YAML.", autocompletion=preset_names)] = None,
    output: Annotated[
        Path | None,
        typer.Option("--out", "-o", help=f"A new file for that YAML; {SCHEMA}, for editors, is written beside it."),
    ] = None,
) -> None:
    """The presets, with what each searches; with PRESET that one's YAML, to begin a space of your own with."""
    from pipeline.errors import InputError, one_of
    from pipeline.space.load import presets

    if preset is None:
        from rich.console import Console

        from pipeline.report.tables import presets_table

        if output is not None:
            raise InputError(f"--out: found {output} without a preset's name; valid: gansweep spaces PRESET -o FILE")
        Console().print(presets_table())
        return
    known = presets()
    if preset not in known:
        raise InputError(f"{preset}: found no preset of this name, {one_of(preset, known)}")
    text = known[preset].read_text(encoding="utf-8")
    if output is None:
        print(text, end="")
        return
    _written(text, output)
    print(output)
    typer.echo(f"what it would search: gansweep run {output} --dry-run", err=True)


def _written(text: str, path: Path) -> None:
    from pipeline.errors import InputError
    from pipeline.space.json_schema import json_schema

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        path.with_name(SCHEMA).write_text(dumps(json_schema(), indent=1) + "\n", encoding="utf-8")
    except FileExistsError:
        raise InputError(f"--out: found {path}, which is there already; valid: a new file") from None
    except OSError as error:
        raise InputError(f"--out: found {path}: {error.strerror}; valid: a file that can be written") from None


def schema() -> None:
    """The JSON schema of a sweep's YAML, for editors."""
    from pipeline.space.json_schema import json_schema

    print(dumps(json_schema(), indent=1))
