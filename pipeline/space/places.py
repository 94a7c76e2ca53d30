"""Where a sweep's data and code are: named by absolute paths when it was begun, and perhaps elsewhere by now."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import InputError, show
from pipeline.plugin import absolute, is_own
from pipeline.schema.datasets import DOMAINS, FOLDERS, KNOWN

FOLDER = "imagefolder:"


def data_named(tree: dict[str, Any], source: str) -> dict[str, Any]:
    """A file's tree with `data: {imagefolders: [A, B]}` as the name that it is short for. Raises InputError for
    anything but two folders, and for a name beside them."""
    data = tree.get("data")
    if not isinstance(data, Mapping) or "imagefolders" not in data:
        return tree
    given, rest = data["imagefolders"], {key: value for key, value in data.items() if key != "imagefolders"}
    if "name" in rest:
        raise InputError(f"{source}: data: found name and imagefolders; valid: one of them")
    if not isinstance(given, list) or len(given) != len(DOMAINS) or not all(isinstance(each, str) for each in given):
        raise InputError(f"{source}: data.imagefolders: found {show(given)}; valid: two folders, [PATH_A, PATH_B]")
    if with_comma := [each for each in given if "," in each]:
        raise InputError(f"{source}: data.imagefolders: found {with_comma[0]}; valid: a path without a comma")
    return {**tree, "data": {"name": FOLDERS + ",".join(given), **rest}}


def moved(tree: Any, was: Path, now: Path) -> dict[str, str]:
    """By their former names, the places in a space that are not there any more, and are where they were as seen from
    the sweep's folder, which was `was` and is `now`: a project that was moved as a whole."""
    moves: dict[str, str] = {}
    if was == now:
        return moves
    for name in _names(tree):
        begins, paths, ends = _split(name)
        there = [_there(path, was, now) for path in paths]
        if there != paths:
            moves[name] = f"{begins}{','.join(there)}{ends}"
    return moves


def _there(path: str, was: Path, now: Path) -> str:
    """Where a place is that is not there any more; the path itself where nothing is found."""
    if not os.path.isabs(path) or os.path.exists(path):
        return path
    there = os.path.normpath(now / os.path.relpath(path, was))
    return there if os.path.exists(there) else path


def renamed(data: str, to: str) -> dict[str, str]:
    """The data that a user says are elsewhere now. Raises InputError for a set that is not a place, or one of another
    kind."""
    now = absolute(to)
    kinds = [_kind(name) for name in (data, now)]
    if data in KNOWN or kinds[0] != kinds[1]:
        valid = "leave it out (its files: --data-root)" if data in KNOWN else f"valid: another place, {kinds[0]}..."
        raise InputError(f"--data: found {to}; the sweep's is {data}, {valid}")
    return {} if now == data else {data: now}


def _kind(name: str) -> str:
    folders = next((each for each in (FOLDER, FOLDERS) if name.startswith(each)), None)
    return folders or ("file.py:function" if is_own(name) else name)


def placed(tree: Any, names: Mapping[str, str]) -> Any:
    """The tree with each name that is a key of `names` as that one says."""
    if isinstance(tree, dict):
        return {key: placed(value, names) for key, value in tree.items()}
    if isinstance(tree, list):
        return [placed(value, names) for value in tree]
    return names.get(tree, tree) if isinstance(tree, str) else tree


def files_of(name: str) -> list[str]:
    """The paths in a name: several of several folders."""
    return _split(name)[1]


def _names(tree: Any) -> list[str]:
    if isinstance(tree, dict):
        return [name for value in tree.values() for name in _names(value)]
    if isinstance(tree, list):
        return [name for value in tree for name in _names(value)]
    return [tree] if isinstance(tree, str) else []


def _split(name: str) -> tuple[str, list[str], str]:
    """What is before the paths, the paths, and what is after them."""
    if name.startswith(FOLDERS):
        return FOLDERS, name.removeprefix(FOLDERS).split(","), ""
    if name.startswith(FOLDER):
        return FOLDER, [name.removeprefix(FOLDER)], ""
    if is_own(name):
        path, colon, part = name.rpartition(":")
        return "", [path], colon + part
    return "", [name], ""
