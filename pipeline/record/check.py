"""Whether a line of the record is one that this program wrote, and stands where it must: each fault in words."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from pipeline.record.events import OF_A_TRIAL, REQUIRED, Line, is_json_number, is_whole

FORMAT = 1


class NewerFormat(Exception):
    """The line is of a newer gansweep: nothing is wrong with it."""


def fault(line: Any) -> str | None:
    """What is wrong with a line by itself, in words; None where nothing is. Raises NewerFormat."""
    if not isinstance(line, dict):
        return "it is not a mapping"
    if not is_whole(line.get("v")):
        return "it has no version"
    if line["v"] > FORMAT:
        raise NewerFormat(line["v"])
    if not is_whole(line.get("n")):
        return "it has no number"
    if not is_json_number(line.get("time")) or not math.isfinite(line["time"]):
        return "it has no time"
    event = line.get("event")
    if not isinstance(event, str) or event not in REQUIRED:
        return f"its event is unknown ({event!r})"
    for name, (valid, holds) in REQUIRED[event].items():
        if name not in line:
            return f"{event} lacks {name}"
        if not holds(line[name]):
            return f"{name} of {event} is {str(line[name])[:40]!r}; valid: {valid}"
    if event == "trial" and line["trial"] >= line["n"]:  # they are counted from 0, a line each, after the sweep's
        return f"trial is {line['trial']}, with {line['n']} lines before it"
    return None


@dataclass
class Sequence:
    """What the lines so far are, for whether the next one may follow. start: of a reader that has the lines before it,
    and so knows which trials there are."""

    whole: bool = True  # read from the record's beginning
    next_number: int | None = None
    trials: set[int] = field(default_factory=set)

    def fault(self, line: Line) -> str | None:
        """What is wrong with its place; the line itself is whole."""
        expected = self.next_number if self.next_number is not None else (0 if self.whole else line["n"])
        if line["n"] < expected:
            return f"its number is {line['n']}, as of one before it, in place of {expected}: it is there twice"
        if line["n"] > expected:
            return f"its number is {line['n']} in place of {expected}: what was between is lost"
        if self.whole and (line["event"] == "sweep") != (line["n"] == 0):
            return "the first line, and no other, is that of the sweep"
        if self.whole and line["event"] == "trial" and line["trial"] in self.trials:
            return f"trial {line['trial']} is proposed twice"
        if self.whole and line["event"] in OF_A_TRIAL and line["trial"] not in self.trials:
            return f"it is of trial {line['trial']}, of which there is no line before it"
        return None

    def add(self, line: Line) -> None:
        self.next_number = line["n"] + 1
        if line["event"] in ("trial", "neighbour"):
            self.trials.add(line["trial"])
