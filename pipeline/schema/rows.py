"""Rows: a part is registered once, in a table of the schema that needs no torch, with where its object is."""

from __future__ import annotations

import importlib
from typing import Any


def at(place: str) -> Any:
    """The object at "package.module:object", imported now."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
