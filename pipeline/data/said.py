"""What was read, in words: the one line of a data set, and the lines that are shown before anything trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.schema.datasets import places
from pipeline.schema.kinds import KINDS

SHOWN = 10  # classes, kinds of files or names, before the rest is counted


def what_was_read(data: Mapping[str, Any]) -> list[str]:
    """Of the `data` of what prepare() says; none of an older record's, which has no such words."""
    read = [f"data: {data['read']}"] if data.get("read") else []
    return read + [f"note: {note}" for note in data.get("notes", ())]


def shown(name: str) -> str:
    """A data set's name without its folders, which are of the machine that it was read on."""
    kind, _, path = name.partition(":")
    if kind == "imagefolder":
        return Path(path).name or path
    if kind == "imagefolders":
        return ", ".join(map(shown, places(name)))
    return Path(name).name if ".py:" in name else name


@dataclass(frozen=True)
class Read:
    """What was read of a data set: so many samples of a shape. counts: of each class, none without labels; found: in
    place of how many samples; origin: the size that they had; left_out: what else was there."""

    name: str
    samples: int
    shape: Sequence[int]
    counts: Sequence[int] = ()
    class_names: Sequence[str] = ()
    kind: str = "image"
    found: str = ""
    origin: str = ""
    left_out: str = ""

    def line(self) -> str:
        """In words."""
        if KINDS[self.kind].pixels:
            colour = {1: "grey", 3: "colour"}.get(self.shape[0], f"{self.shape[0]} channels")
            size = f"{self.shape[2]} x {self.shape[1]}"
            before = f" from {self.origin}" if self.origin and self.origin != size else ""
            parts = [self.found or f"{self.samples:,} images", colour, size + before]
        else:
            values = f"{self.shape[0]} value{'s' if self.shape[0] > 1 else ''} each"
            parts = [f"{self.samples:,} {KINDS[self.kind].words}", values]
        clauses = [f"{shown(self.name)}: {', '.join(parts)}"]
        if self.counts:
            clauses.append(classes_line(self.counts, self.class_names))
        if self.left_out:
            clauses.append(f"left out: {self.left_out}")
        return "; ".join(clauses)


def classes_line(counts: Sequence[int], names: Sequence[str] = ()) -> str:
    """ "classes cat 60, dog 60"; of many the first ones, and how many samples they have."""
    each = [f"{names[at] if names else at} {count:,}" for at, count in enumerate(counts[:SHOWN])]
    if len(counts) <= SHOWN:
        return f"classes {', '.join(each)}"
    return f"{len(counts):,} classes of {min(counts):,} to {max(counts):,}: {', '.join(each)}, ..."


def listed(items: Sequence[str], count: int = SHOWN) -> str:
    """The first ones, and how many more there are."""
    more = f" and {len(items) - count:,} more" if len(items) > count else ""
    return ", ".join(items[:count]) + more


def plain(text: str) -> str:
    """Without what cannot be printed: file names may hold anything."""
    return "".join(each if each.isprintable() else "?" for each in text)


def in_order(names: Sequence[str]) -> list[str]:
    """Names sorted, as numbers where all of them are: 2 before 10."""

    def number(name: str) -> float:
        digits = name.removeprefix("-").replace(".", "", 1)
        return float(name) if digits.isascii() and digits.isdigit() else float("nan")

    numbers = {name: number(name) for name in names}
    numeric = all(value == value for value in numbers.values())
    return sorted(names, key=lambda name: (numbers[name], name) if numeric else (0.0, name))
