"""What a searched value is drawn from: six kinds, each checked when it is read from a YAML."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import InputError, show


class Distribution(ABC):
    """Abstract: a set of values with a way to draw from it."""

    @property
    @abstractmethod
    def ends(self) -> tuple[Any, ...]:
        """The values to try when everything it can give is checked: both ends, or every option."""

    @abstractmethod
    def take(self, value: Any) -> Any:
        """The value as a trial gets it (10 in a range of floats is 10.0); ValueError where it is outside."""

    @abstractmethod
    def describe(self) -> str:
        """Its values in words, to end a line with."""

    def contains(self, value: Any) -> bool:
        try:
            self.take(value)
        except ValueError:
            return False
        return True


@dataclass(frozen=True)
class Range(Distribution):
    """A number between low and high, both included."""

    low: float
    high: float
    log: bool = False  # uniform in its logarithm
    whole: bool = False  # an integer

    @property
    def ends(self) -> tuple[Any, ...]:
        return (self.low, self.high)

    def take(self, value: Any) -> float:
        if not (is_integer(value) if self.whole else is_number(value)) or not self.low <= value <= self.high:
            raise ValueError(value)
        return int(value) if self.whole else float(value)

    def describe(self) -> str:
        ends = f"an integer from {self.low} to {self.high}" if self.whole else f"{show(self.low)} to {show(self.high)}"
        return f"{ends} (log)" if self.log else ends


@dataclass(frozen=True)
class Steps(Distribution):
    """low, low + step, and so on up to high; integers where all three are."""

    low: float
    high: float
    step: float

    @property
    def ends(self) -> tuple[Any, ...]:
        return (self.low, self.high)

    @property
    def whole(self) -> bool:
        return all(map(is_integer, (self.low, self.high, self.step)))

    def take(self, value: Any) -> float:
        if self.whole:
            if not is_integer(value) or not self.low <= value <= self.high or (value - self.low) % self.step:
                raise ValueError(value)
            return int(value)
        if not is_number(value):
            raise ValueError(value)
        count = round((value - self.low) / self.step)
        # twelve digits: 0.1 + 2 * 0.1 is then 0.3, as one would write it
        near = float(f"{self.low + count * self.step:.12g}")
        if not 0 <= count <= round((self.high - self.low) / self.step) or abs(value - near) > 1e-8 * self.step:
            raise ValueError(value)
        return near

    def describe(self) -> str:
        return f"{show(self.low)} to {show(self.high)} in steps of {show(self.step)}"


@dataclass(frozen=True)
class Choice(Distribution):
    """One of some values, or one of the labels whose options carry parameters of their own."""

    options: tuple[Any, ...]

    @property
    def ends(self) -> tuple[Any, ...]:
        return self.options

    def take(self, value: Any) -> Any:
        for option in self.options:
            if _same(value, option):
                return option
        raise ValueError(value)

    def describe(self) -> str:
        return ", ".join(map(show, self.options))


def distribution(kind: str, body: Any, where: str) -> Distribution:
    """The distribution that `{kind: body}` writes; InputError, beginning with `where`, for one that cannot be."""
    if kind == "choice":
        return _choice(list(body) if isinstance(body, Mapping) else body, where)
    form = "[low, high, step]" if kind == "steps" else "[low, high]"
    if not isinstance(body, (list, tuple)) or len(body) != form.count(",") + 1:
        raise InputError(f"{where}: found {kind}: {show(body)}; valid: {kind}: {form}")
    log, whole = RANGES.get(kind, (False, False))
    for value in body:
        if not (is_integer(value) if whole else is_number(value)):
            valid = "integers" if whole else "finite numbers"
            raise InputError(f"{where}: found {show(value)} in {kind}: {show(body)}; valid: {valid}")
    low, high = body[0], body[1]
    if low >= high:
        raise InputError(f"{where}: found {kind}: {show(body)}; valid: a low end less than the high end")
    if kind == "log" and low <= 0:
        raise InputError(f"{where}: found {kind}: {show(body)}; valid: a low end above 0, for its logarithm")
    if kind == "log_int" and low < 1:
        raise InputError(f"{where}: found {kind}: {show(body)}; valid: a low end of 1 or more, for its logarithm")
    if kind == "steps":
        return _steps(low, high, body[2], where)
    return Range(low, high, log, whole) if whole else Range(float(low), float(high), log)


def _steps(low: float, high: float, step: float, where: str) -> Steps:
    body = show([low, high, step])
    if step <= 0:
        raise InputError(f"{where}: found steps: {body}; valid: a step above 0")
    count = (high - low) / step
    if abs(count - round(count)) > 1e-6 or round(count) < 1:
        below = low + math.floor(count) * step
        ends = f"{show(below)} or {show(below + step)}" if below > low else show(below + step)
        raise InputError(f"{where}: found steps: {body}, which do not end at {show(high)}; valid: a high end of {ends}")
    if all(map(is_integer, (low, high, step))):
        return Steps(low, high, step)
    return Steps(float(low), float(high), float(step))


def _choice(options: Any, where: str) -> Choice:
    if options is None or options == []:
        raise InputError(f"{where}: found an empty choice; valid: at least one option")
    if not isinstance(options, list):
        raise InputError(f"{where}: found choice: {show(options)}; valid: [a, b, ...] or {{label: {{...}}, ...}}")
    for at, option in enumerate(options):
        if isinstance(option, (list, Mapping)):
            raise InputError(
                f"{where}: found {show(option)} as an option; valid: plain values, or a mapping "
                "{label: {...}, ...} for options with parameters of their own"
            )
        if any(_same(option, other) for other in options[:at]):
            raise InputError(f"{where}: found {show(option)} twice in choice: {show(options)}; valid: each option once")
        if isinstance(option, float) and not math.isfinite(option):
            raise InputError(f"{where}: found {show(option)} as an option; valid: finite numbers")
    return Choice(tuple(options))


def is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    return is_integer(value) or (isinstance(value, float) and math.isfinite(value))


def _same(a: Any, b: Any) -> bool:
    """Equal as a YAML value: true is not 1, but 1.0 is."""
    return isinstance(a, bool) == isinstance(b, bool) and a == b


RANGES = {"uniform": (False, False), "log": (True, False), "int": (False, True), "log_int": (True, True)}  # log, whole
KINDS = (*RANGES, "steps", "choice")
