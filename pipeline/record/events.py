"""What a line of the record can say, a frozen class an event; its fields without a default must be there."""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from pipeline.record.measurement import Measurement

Line = dict[str, Any]  # as it is written: JSON


@dataclass(frozen=True, kw_only=True)
class Event:
    """Abstract."""

    name: ClassVar[str]  # in the line
    n: int  # the line's number, from 0
    time: float  # seconds since 1970


@dataclass(frozen=True, kw_only=True)
class SweepBegan(Event):
    """The first line, and no other."""

    name: ClassVar[str] = "sweep"
    sweep: str = field(metadata={"key": "name"})
    source: str  # the YAML's name, for messages
    space: dict[str, Any]  # the YAML as resolved
    spec: dict[str, Any]  # its sweep-level part: schema/sweep.SweepSpec
    seed: int
    versions: dict[str, Any]
    token: str | None = None  # tells it from another of the same name
    launch: dict[str, Any] | None = None  # how it was launched, for one that was killed before its first driver's line


@dataclass(frozen=True, kw_only=True)
class DriverSaid(Event):
    """A driver's start (state: started), or how it ended."""

    name: ClassVar[str] = "driver"
    session: str
    state: str  # started | finished | interrupted | failed
    doing: str = "search"  # or "pick"
    launch: dict[str, Any] = field(default_factory=dict)  # sweeps/setup.Launch
    slots: int = 1  # runs at a time
    why: str | None = None  # it was stopped
    torn: str | None = None  # the record's last line, which was dropped
    taken_over: dict[str, Any] | None = None  # whose lock it took
    place: dict[str, Any] | None = None  # folder and tracking: where the sweep is, and what it sends to
    identity: str | None = None  # of a copy that goes on by itself
    copy_of: str | None = None

    @property
    def started(self) -> bool:
        return self.state == "started"


@dataclass(frozen=True, kw_only=True)
class NodeSaid(Event):
    """What became of a node of the cluster."""

    name: ClassVar[str] = "node"
    node: str  # Ray's name of it
    host: str
    state: str  # joined | left | left_out: drivers/nodes
    slots: int  # runs at a time on all nodes, from here on
    why: str | None = None

    @property
    def said(self) -> str:
        """For the user."""
        about = f"{self.why}; it is left out" if self.state == "left_out" else f"has {self.state}"
        return f"node {self.host}: {about} ({self.slots} runs at a time)"


@dataclass(frozen=True, kw_only=True)
class Prepared(Event):
    """What the sweep is measured on: what metrics/evaluator.prepare says, and the fingerprints of the user's code."""

    name: ClassVar[str] = "prepared"
    data: dict[str, Any]
    floor: dict[str, float]  # by metric
    floor_spread: dict[str, float]  # a standard deviation
    noise_floor: dict[str, float] = field(default_factory=dict)
    features: str | None = None
    samples: int | None = None
    code: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrialProposed(Event):
    name: ClassVar[str] = "trial"
    trial: int
    point: dict[str, Any]  # the searched values by full name
    spec: dict[str, Any]  # resolved: schema/trial.TrialSpec
    source: str  # see Sampler.ask


@dataclass(frozen=True, kw_only=True)
class Promoted(Event):
    """A trial is to have so many runs."""

    name: ClassVar[str] = "promoted"
    trial: int
    seeds: int


@dataclass(frozen=True, kw_only=True)
class RunEvent(Event):
    """Abstract: of one attempt at a run."""

    trial: int
    seed: int
    attempt: int


@dataclass(frozen=True, kw_only=True)
class AttemptBegan(RunEvent):
    name: ClassVar[str] = "attempt"
    replicate: int | None = None  # the number of the seed, of a run that confirms
    host: str | None = None  # where it was sent; None of one that was sent nowhere
    node: str | None = None  # Ray's name of it, in a cluster


@dataclass(frozen=True, kw_only=True)
class AttemptEnded(RunEvent):
    """Through no fault of the run, as far as is known."""

    name: ClassVar[str] = "attempt_ended"
    why: str
    kind: str = "lost"  # see faults.py


@dataclass(frozen=True, kw_only=True)
class Measured(Measurement, RunEvent):
    """One evaluation."""

    name: ClassVar[str] = "measurement"


@dataclass(frozen=True, kw_only=True)
class Noticed(RunEvent):
    """What a user should know of a run."""

    name: ClassVar[str] = "notice"
    text: str


@dataclass(frozen=True, kw_only=True)
class RunEnded(RunEvent):
    name: ClassVar[str] = "run_ended"
    reason: str  # record/trials.END_REASONS
    evidence: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class Audited(RunEvent):
    """The run was to be stopped here, and goes on all the same, so that it is seen whether that would have been right.
    Its end comes later, as of any run."""

    name: ClassVar[str] = "audited"
    images: int
    reason: str
    evidence: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class PickBegan(Event):
    name: ClassVar[str] = "pick"
    top: int
    seeds: int
    finalists: dict[str, Any]  # by trial, why it is one
    against: int | None = None  # the one that is run on all seeds for a comparison; none in older records

    @property
    def numbers(self) -> list[int]:
        """The finalists' trials."""
        return [int(number) for number in self.finalists]


@dataclass(frozen=True, kw_only=True)
class PerturbBegan(Event):
    """Which neighbours of a pick's winner are wanted."""

    name: ClassVar[str] = "perturb"
    of: int  # the winner
    factor: float
    choices: Any
    seeds: int
    neighbours: list[int]
    left: Any  # what cannot be moved, and why


@dataclass(frozen=True, kw_only=True)
class NeighbourProposed(Event):
    """The trial `of` with one parameter moved; it is no trial of the sweep."""

    name: ClassVar[str] = "neighbour"
    trial: int
    of: int
    parameter: str  # its full name
    was: Any
    value: Any
    point: dict[str, Any]
    spec: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Repaired(Event):
    """What `gansweep doctor --repair` left out, and the file that the damaged record is kept as."""

    name: ClassVar[str] = "repaired"
    dropped: list[Any]
    damaged: str


EVENTS: dict[str, type[Event]] = {
    event.name: event
    for event in (
        *(SweepBegan, DriverSaid, NodeSaid, Prepared, TrialProposed, Promoted, AttemptBegan, AttemptEnded, Measured),
        *(Noticed, Audited, PickBegan, PerturbBegan, NeighbourProposed, RunEnded, Repaired),
    )
}
OF_A_TRIAL = ("promoted", "attempt", "attempt_ended", "measurement", "notice", "audited", "run_ended")


def _key(each: dataclasses.Field[Any]) -> str:
    """What a field is called in the line."""
    return str(each.metadata.get("key", each.name))


E = TypeVar("E", bound=Event)
_FIELDS = {name: [(each.name, _key(each)) for each in dataclasses.fields(event)] for name, event in EVENTS.items()}


def event_of(line: Line) -> Event:
    """A whole line as what it says; fields of a newer version are left out."""
    name = line["event"]
    return EVENTS[name](**{to: line[key] for to, key in _FIELDS[name] if key in line})


def every(kind: type[E], lines: Iterable[Line]) -> list[E]:
    """The events of one kind among lines, in their order."""
    return [event for line in lines if line["event"] == kind.name and isinstance(event := event_of(line), kind)]


# What is valid in a field, in words, and what tells.
Kind = tuple[str, Callable[[Any], bool]]


def is_json_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, float) or abs(value) <= sys.float_info.max  # a longer one is no float's


def is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(is_json_number(each) for each in value.values())


_KINDS: Mapping[Any, Kind] = {
    int: ("a whole number from 0 up", is_whole),
    float: ("a number", is_json_number),
    str: ("text", lambda value: isinstance(value, str)),
    dict[str, float]: ("a mapping of numbers", _numbers),
    dict[str, Any]: ("a mapping", lambda value: isinstance(value, dict)),
    dict[str, Any] | None: ("a mapping or nothing", lambda value: value is None or isinstance(value, dict)),
    list[int]: ("a list", lambda value: isinstance(value, list)),
    list[Any]: ("a list", lambda value: isinstance(value, list)),
    Any: ("anything", lambda value: True),
}


def _required(event: type[Event]) -> dict[str, Kind]:
    types = typing.get_type_hints(event)
    missing = dataclasses.MISSING
    needed = [each for each in dataclasses.fields(event) if each.default is missing and each.default_factory is missing]
    return {_key(each): _KINDS[types[each.name]] for each in needed if each.name not in ("n", "time")}


REQUIRED = {name: _required(event) for name, event in EVENTS.items()}  # the fields that a line must have, by event
