"""Names that a YAML may have: of a part of the user's own, or of one that is there."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

from pydantic import AfterValidator

from pipeline.errors import one_of
from pipeline.plugin import absolute, is_own

OBJECT = "file.py:object"


def own(name: str) -> str:
    """By its absolute path; ValueError for what is no "file.py:object"."""
    if not is_own(name):
        raise ValueError(f'found "{name}"; valid: "{OBJECT}"')
    return absolute(name)


def known_or_own(name: str, known: Collection[str]) -> str:
    """One that is there, or one of the user's own by its absolute path; ValueError for neither."""
    if name not in known and not is_own(name):
        raise ValueError(f'found "{name}", {one_of(name, [*known, OBJECT])}')
    return absolute(name)


OwnName = Annotated[str, AfterValidator(own)]
