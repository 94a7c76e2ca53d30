"""Where a sweep's data and code are: named by absolute paths when it was begun, and perhaps elsewhere by now."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.plugin import absolute, is_own
from pipeline.schema.datasets import KNOWN

FOLDER = "imagefolder:"


def moved(tree: Any, was: Path, now: Path) -> dict[str, str]:
    """By their former names, the places in a space that are not there any more, and are where they were as seen from
    the sweep's folder, which was `was` and is `now`: a project that was moved as a whole."""
    found: dict[str, str] = {}
    if was == now:
        return found
    for name in _names(tree):
        begins, path, ends = _split(name)
        if not os.path.isabs(path) or os.path.exists(path):
            continue
        there = os.path.normpath(now / os.path.relpath(path, was))
        if os.path.exists(there):
            found[name] = f"{begins}{there}{ends}"
    return found


def renamed(data: str, to: str) -> dict[str, str]:
    """The data that a user says are elsewhere now. Raises InputError for a set that is not a place, or one of another
    kind."""
    now = absolute(to)
    kinds = [
        FOLDER if name.startswith(FOLDER) else "file.py:function" if is_own(name) else name for name in (data, now)
    ]
    if data in KNOWN or kinds[0] != kinds[1]:
        valid = "leave it out (its files: --data-root)" if data in KNOWN else f"valid: another place, {kinds[0]}..."
        raise InputError(f"--data: found {to}; the sweep's is {data}, {valid}")
    return {} if now == data else {data: now}


def _kind(name: str) -> str:
    return FOLDER if name.startswith(FOLDER) else "file.py:function" if is_own(name) else name


def placed(tree: Any, names: Mapping[str, str]) -> Any:
    """The tree with each name that is a key of `names` as that one says."""
    if isinstance(tree, dict):
        return {key: placed(value, names) for key, value in tree.items()}
    if isinstance(tree, list):
        return [placed(value, names) for value in tree]
    return names.get(tree, tree) if isinstance(tree, str) else tree


def file_of(name: str) -> str:
    """The path in a name."""
    return _split(name)[1]


def _names(tree: Any) -> list[str]:
    if isinstance(tree, dict):
        return [name for value in tree.values() for name in _names(value)]
    if isinstance(tree, list):
        return [name for value in tree for name in _names(value)]
    return [tree] if isinstance(tree, str) else []


def _split(name: str) -> tuple[str, str, str]:
    """What is before the path, the path, and what is after it."""
    if name.startswith(FOLDER):
        return FOLDER, name.removeprefix(FOLDER), ""
    if is_own(name):
        path, colon, part = name.rpartition(":")
        return "", path, colon + part
    return "", name, ""
