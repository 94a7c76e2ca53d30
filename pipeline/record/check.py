"""Whether a line of the record is one that this program wrote, and stands where it must: each fault in words."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

FORMAT = 1

Line = dict[str, Any]
Kind = tuple[str, Callable[[Any], bool]]


def _number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, float) or abs(value) <= sys.float_info.max  # a longer one is no float's


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(_number(each) for each in value.values())


WHOLE: Kind = ("a whole number from 0 up", _whole)
NUMBER: Kind = ("a number", _number)
NUMBERS: Kind = ("a mapping of numbers", _numbers)
TEXT: Kind = ("text", lambda value: isinstance(value, str))
MAPPING: Kind = ("a mapping", lambda value: isinstance(value, dict))
MAYBE: Kind = ("a mapping or nothing", lambda value: value is None or isinstance(value, dict))
LIST: Kind = ("a list", lambda value: isinstance(value, list))
ANY: Kind = ("anything", lambda value: True)

_RUN = {"trial": WHOLE, "seed": WHOLE, "attempt": WHOLE}
# Every event with the fields that its line must have. A line may have others, of a newer version.
EVENTS: dict[str, dict[str, Kind]] = {
    "sweep": {"name": TEXT, "source": TEXT, "space": MAPPING, "spec": MAPPING, "seed": WHOLE, "versions": MAPPING},
    "driver": {"session": TEXT, "state": TEXT},
    "prepared": {"data": MAPPING, "floor": NUMBERS, "floor_spread": NUMBERS},
    "trial": {"trial": WHOLE, "point": MAPPING, "spec": MAPPING, "source": TEXT},
    "promoted": {"trial": WHOLE, "seeds": WHOLE},
    "attempt": _RUN,
    "attempt_ended": {**_RUN, "why": TEXT},
    "measurement": {**_RUN, "images": WHOLE, "metrics": NUMBERS, "signals": NUMBERS, "seconds": NUMBER},
    "notice": {**_RUN, "text": TEXT},
    "pick": {"top": WHOLE, "seeds": WHOLE, "finalists": MAPPING},
    "perturb": {"of": WHOLE, "factor": NUMBER, "choices": ANY, "seeds": WHOLE, "neighbours": LIST, "left": ANY},
    "neighbour": {
        "trial": WHOLE,
        "of": WHOLE,
        "parameter": TEXT,
        "was": ANY,
        "value": ANY,
        "point": MAPPING,
        "spec": MAPPING,
    },
    "run_ended": {**_RUN, "reason": TEXT, "evidence": MAYBE},
    "repaired": {"dropped": LIST, "damaged": TEXT},
}
OF_A_TRIAL = ("promoted", "attempt", "attempt_ended", "measurement", "notice", "run_ended")


class NewerFormat(Exception):
    """The line is of a newer gansweep: nothing is wrong with it."""


def fault(line: Any) -> str | None:
    """What is wrong with a line by itself, in words; None where nothing is. Raises NewerFormat."""
    if not isinstance(line, dict):
        return "it is not a mapping"
    if not _whole(line.get("v")):
        return "it has no version"
    if line["v"] > FORMAT:
        raise NewerFormat(line["v"])
    if not _whole(line.get("n")):
        return "it has no number"
    if not _number(line.get("time")) or not math.isfinite(line["time"]):
        return "it has no time"
    event = line.get("event")
    if not isinstance(event, str) or event not in EVENTS:
        return f"its event is unknown ({event!r})"
    for name, (valid, holds) in EVENTS[event].items():
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
