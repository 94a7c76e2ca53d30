"""The reference of the command line, from the typer application."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from docs.made.markdown import code, prose, table
from pipeline.cli.main import app


def reference() -> str:
    """A line a verb, then each with its options."""
    command: Any = typer.main.get_command(app)
    rows = [(f"[{name}](#{name})", prose(_first(verb.help))) for name, verb in command.commands.items()]
    parts = [table(("verb", "what it does"), rows)]
    for name, verb in command.commands.items():
        parts += [f"## {name}", prose(verb.help), f"`gansweep {name}{''.join(map(_placed, verb.params))}`"]
        options = [each for each in verb.params if each.param_type_name == "option"]
        told = [(code(_metavar(each)), prose(each.help)) for each in verb.params if each not in options and each.help]
        told += [(code(_spelt(each)), prose(each.help)) for each in options]
        parts += [table(("argument, option", ""), told)] if told else []
    return "\n\n".join(parts)


def _first(text: str) -> str:
    """Its first sentence."""
    return " ".join(text.split()).partition(". ")[0].rstrip(".") + "."


def _placed(parameter: Any) -> str:
    if parameter.param_type_name == "option":
        return ""
    return f" {_metavar(parameter)}" if parameter.required else f" [{_metavar(parameter)}]"


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _spelt(option: Any) -> str:
    """--out, -o PATH"""
    names = ", ".join(sorted(option.opts, key=len, reverse=True))
    if option.is_flag:
        return names
    kind = option.type_descriptor.annotation
    return f"{names} {option.metavar or {int: 'NUMBER', float: 'NUMBER', Path: 'PATH'}.get(kind, 'TEXT')}"
