"""`make docs`: writes the made part of docs/space.md and docs/verbs.md anew, between the two marks that each has."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from docs.made import space, verbs

DOCS = Path(__file__).resolve().parents[1]
PAGES: dict[str, Callable[[], str]] = {"space.md": space.reference, "verbs.md": verbs.reference}
BEGIN, END = "<!-- made by `make docs`: change the code, not this -->", "<!-- end of what is made -->"


def made(page: str) -> str:
    """The page as it should be: its own text, with what the code says now between the marks."""
    text = (DOCS / page).read_text()
    part = f"{BEGIN}\n\n{PAGES[page]().strip()}\n\n{END}"
    found, count = re.subn(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: part, text, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"docs/{page}: found {count} parts to be made; valid: one, between\n{BEGIN}\n{END}")
    return found


if __name__ == "__main__":
    for each in PAGES:
        (DOCS / each).write_text(made(each))
        print(f"docs/{each}")
