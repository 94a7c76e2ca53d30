"""sweep.yaml in a sweep's folder: what the record was begun with, for people to read; and what of it was edited."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.record.home import command, free_name, option
from pipeline.schema.base import flatten
from pipeline.space import yaml

NAME = "sweep.yaml"
FIRST = "# What this sweep searches, as resolved, to be read: the record beside it decides, an edit changes nothing.\n"
# What a resume takes, as the option that changes it.
OPTIONS = {"search.trials": "--trials", "search.max_time": "--max-time", "search.concurrency": "--concurrency"}


def write(folder: Path, tree: dict[str, Any]) -> None:
    (folder / NAME).write_text(FIRST + yaml.dump(tree), encoding="utf-8")


def edited(folder: Path, tree: dict[str, Any]) -> list[str]:
    """What a user is told who changed the file, and what to type instead; one that is gone is written again."""
    path = folder / NAME
    if not path.exists():
        write(folder, tree)
        return []
    another = (
        f"gansweep run {shlex.quote(str(path))} --name {free_name(folder.parent, folder.name)}{option(folder)}"
        " starts another sweep from it"
    )
    try:
        there = flatten(yaml.read_mapping(path))
    except InputError as error:
        return [f"{error}; nothing is lost, the record decides (without the file it is written again)"]
    was = flatten(tree)
    changed = [key for key in {**was, **there} if was.get(key) != there.get(key)]
    if not changed:
        return []
    said = [f"{key} {there.get(key)}, was {was.get(key)}" for key in changed[:3]]
    more = f", and {len(changed) - 3} more" if len(changed) > 3 else ""
    asked = " ".join(
        f"{OPTIONS[key]} {shlex.quote(str(there[key]))}"
        for key in changed
        if key in OPTIONS and there.get(key) is not None
    )
    way = f"{command('resume', folder)} {asked}" if asked and all(key in OPTIONS for key in changed) else another
    return [f"{path} was edited ({', '.join(said)}{more}), which changes nothing: the record decides; {way}"]
