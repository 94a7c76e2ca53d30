"""Tables and texts as GitHub shows them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n\n", "<br>")


def prose(text: str | None, keys: Iterable[str] = ()) -> str:
    """A docstring's text, a line a paragraph; nothing in it is taken for a tag or for emphasis. keys: what is written
    as code where it begins what is said of it, as in "name: what it is"."""
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(text or "").strip())
    found = "\n\n".join(" ".join(part.split()) for part in paragraphs)
    found = re.sub(r"([<*\\])(?![^`]*`(?:[^`]*`[^`]*`)*[^`]*$)", r"\\\1", found)
    if names := "|".join(map(re.escape, keys)):
        found = re.sub(rf"(?<![\w.`{{])({names})(?=(?:(?:, | and )(?:{names}))*(?: \([^()]*\))?:)", r"`\1`", found)
    return re.sub(r"\bNone\b", "null", found)  # as a YAML has it


def code(value: object) -> str:
    return f"`{value}`"
