"""The search space: a tree of fixed values, distributions and nested choices, read from the trial part of a YAML."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import InputError, one_of, quoted, show
from pipeline.schema.base import flatten
from pipeline.space import yaml
from pipeline.space.dialects import instead
from pipeline.space.distributions import KINDS, Distribution, distribution

Point = dict[str, Any]  # a parameter's full name -> its value, or the label of the option that was chosen


def dotted(name: str) -> str:
    """A parameter's dotted key: its full name without the branches it is under."""
    return re.sub(r"\[[^\]]*\]", "", name)


@dataclass(frozen=True)
class Parameter:
    """name includes the branch ("regularisers[r1].r1.weight"), key does not ("regularisers.r1.weight");
    branch: the choices above it, each with the option under which this parameter exists."""

    name: str
    distribution: Distribution
    branch: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        return dotted(self.name)


@dataclass(frozen=True)
class _Fixed:
    value: Any


@dataclass(frozen=True)
class _Leaf:
    parameter: Parameter


@dataclass(frozen=True)
class _Branch:
    parameter: Parameter
    options: dict[str, _Node]


@dataclass(frozen=True)
class _Mapping:
    parts: dict[str, _Node]


_Node = _Fixed | _Leaf | _Branch | _Mapping
_MISSING = object()


@dataclass(frozen=True)
class Space:
    """tree: what was parsed, as JSON would have it; source: where it was read, to begin an error's line with."""

    tree: dict[str, Any]
    source: str
    _root: _Mapping

    @classmethod
    def parse(cls, tree: Mapping[str, Any], source: str) -> Space:
        """Raises InputError, naming source and key, for a distribution that cannot be."""
        parts = {key: _parse(part, key, (), source) for key, part in tree.items()}
        return cls(copy.deepcopy(dict(tree)), source, _Mapping(parts))

    def parameters(self) -> list[Parameter]:
        """All that is searched, of all branches, in the order of the tree; a choice before what it carries."""
        return list(_parameters(self._root))

    def realise(self, choose: Callable[[Parameter], Any]) -> tuple[Point, dict[str, Any]]:
        """The point that `choose` makes and its tree without distributions. Asks only for the parameters that
        exist under the branches it has chosen. Raises InputError where it gives a value outside the range."""
        point: Point = {}
        return point, _realise(self._root, choose, point, self.source)

    def fixed(self, point: Mapping[str, Any], source: str | None = None) -> tuple[Point, dict[str, Any]]:
        """The given point by full names, and its tree. Keys may be dotted keys, full names, or nested mappings.

        Raises InputError for a key that is unknown or not under the chosen branches, values outside their
        range, and values that are missing (all of them are listed).
        """
        source = source or self.source
        given = flatten(point)
        used: set[str] = set()
        missing: list[str] = []

        def choose(parameter: Parameter) -> Any:
            name = parameter.name if parameter.name in given else parameter.key
            if name not in given or (name in used and name != parameter.name):
                missing.append(parameter.name if name in used else parameter.key)
                return _MISSING
            used.add(name)
            return given[name]

        chosen: Point = {}
        tree = _realise(self._root, choose, chosen, source)
        for name in given:
            if name not in used and not (missing and self._known(name)):
                raise InputError(f"{source}: {self._unused(name)}")
        if missing:
            raise InputError(f"{source}: lacks {', '.join(missing)}; valid: a value for each searched parameter")
        return chosen, tree

    def _known(self, name: str) -> bool:
        return any(name in (p.name, p.key) for p in self.parameters())

    def _unused(self, name: str) -> str:
        """Why `name`, which a point gave, was not asked for."""
        there = [p for p in self.parameters() if name in (p.name, p.key)]
        if there:
            needs = sorted({f"{above}: {label}" for p in there for above, label in p.branch[-1:]})
            return f"{name}: given, but it exists only with {' or '.join(needs)}"
        if name in flatten(self.tree):
            return f"{name}: is fixed at {show(flatten(self.tree)[name])} and not searched; leave it out"
        return f'unknown key "{name}", {one_of(name, dict.fromkeys(p.key for p in self.parameters()))}'


def is_distribution(value: Any) -> bool:
    """A mapping with exactly one key, which is a distribution's name."""
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in KINDS


def options(value: Any) -> dict[str, Any] | None:
    """The options by label, where the value is a choice whose options carry parameters of their own."""
    if is_distribution(value) and isinstance(value.get("choice"), Mapping):
        return dict(value["choice"])
    return None


def _parse(value: Any, name: str, branch: tuple[tuple[str, str], ...], source: str) -> _Node:
    where = f"{source}: {dotted(name)}"
    own = dotted(name).rpartition(".")[2] == "options"  # hyperparameters of the user's own, under any name
    if not own and (written := instead(value)) is not None:
        raise InputError(f"{where}: found {show(value)}; valid here: {dotted(name).rpartition('.')[2]}: {written}")
    if is_distribution(value):
        kind, body = next(iter(value.items()))
        parameter = Parameter(name, distribution(kind, body, where), branch)
        labelled = options(value)
        if labelled is None:
            return _Leaf(parameter)
        for label in labelled:
            if not re.fullmatch(r"[\w+-]+", label):
                raise InputError(f'{where}: found the label "{label}"; valid: letters, digits, _, + and -')
        return _Branch(
            parameter,
            {
                label: _parse(part, f"{name}[{label}]", (*branch, (name, label)), source)
                for label, part in labelled.items()
            },
        )
    if isinstance(value, Mapping) and value:
        return _Mapping({key: _parse(part, f"{name}.{key}", branch, source) for key, part in value.items()})
    return _Fixed(value)


def _parameters(node: _Node) -> Iterator[Parameter]:
    if isinstance(node, _Leaf | _Branch):
        yield node.parameter
    if isinstance(node, _Branch | _Mapping):
        for part in (node.options if isinstance(node, _Branch) else node.parts).values():
            yield from _parameters(part)


def _realise(node: _Node, choose: Callable[[Parameter], Any], point: Point, source: str) -> Any:
    if isinstance(node, _Fixed):
        return copy.deepcopy(node.value)
    if isinstance(node, _Mapping):
        return {key: _realise(part, choose, point, source) for key, part in node.parts.items()}
    parameter, chosen = node.parameter, choose(node.parameter)
    if chosen is _MISSING:
        return None
    if isinstance(node, _Branch):
        chosen = _label(chosen, node.options)
    try:
        value = parameter.distribution.take(chosen)
    except ValueError:
        line = f"{parameter.key}: found {quoted(chosen)}; valid: {parameter.distribution.describe()}"
        raise InputError(f"{source}: {line}") from None
    point[parameter.name] = value
    return value if isinstance(node, _Leaf) else _realise(node.options[value], choose, point, source)


def _label(value: Any, labels: Mapping[str, Any]) -> Any:
    """The label that was written, where YAML took it for something else: 007, 1e3, null; `value` where it is none, or
    could be several."""
    if isinstance(value, str):
        return value
    written = [label for label in labels if quoted(yaml.parse(label, label)) == quoted(value)]
    return written[0] if len(written) == 1 else value


def replaced(tree: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """A trial's tree with another value at a dotted key that it has."""
    changed = copy.deepcopy(tree)
    *path, last = key.split(".")
    part = changed
    for step in path:
        part = part[step]
    part[last] = value
    return changed
