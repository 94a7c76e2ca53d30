"""init_from, pinned: a checkpoint by its absolute path and its hash, when a sweep is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.schema.checkpoint import file_hash, find
from pipeline.space.tree import options


def pinned(value: Any, source: str) -> Any:
    """The init_from of a sweep's tree, in each option of a choice: the path of a file, absolute because workers have
    another working folder, and its hash. What is no path is left for the spec to refuse."""
    labelled = options(value)
    if labelled is not None:
        return {"choice": {label: pinned(option, source) for label, option in labelled.items()}}
    tree = {"path": value} if isinstance(value, str) else value
    if not isinstance(tree, Mapping) or not isinstance(tree.get("path"), str) or tree.get("hash") is not None:
        return tree
    try:
        file = find(Path(tree["path"]).expanduser().absolute())
        return {**tree, "path": str(file), "hash": file_hash(file)}
    except InputError as error:
        raise InputError(f"{source}: init_from.path: {error}") from None
