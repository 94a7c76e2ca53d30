"""Every value that a space can give is put into a TrialSpec when the space is loaded, not when a trial meets it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.distributions import KINDS, show
from pipeline.errors import InputError, one_of
from pipeline.space import Parameter, Space
from pipeline.spec.base import parse
from pipeline.spec.trial import TrialSpec

NOT_SEARCHED = ("data", "budget", "evaluation", "device", "precision", "memory_format")


def check(space: Space) -> None:
    """Raises InputError where some value of the space cannot be in a TrialSpec: each end of a range and each
    option is tried, with the others at their first option or low end."""
    parameters = space.parameters()
    for parameter in parameters:
        section = parameter.key.split(".")[0]
        if section in NOT_SEARCHED:
            raise InputError(
                f"{space.source}: {parameter.key}: found a distribution; valid: one value, "
                f"trials that differ in {section} cannot be compared"
            )
    _misspelt(space.tree, "", space.source)
    parse(TrialSpec, space.realise(lambda p: p.distribution.ends[0])[1], space.source)
    for parameter in parameters:
        for value in parameter.distribution.ends:
            _try(space, parameter, value)


def _try(space: Space, parameter: Parameter, value: Any) -> None:
    forced = {**dict(parameter.branch), parameter.name: value}
    _, tree = space.realise(lambda p: forced.get(p.name, p.distribution.ends[0]))
    try:
        parse(TrialSpec, tree, space.source)
    except InputError as error:
        raise InputError(f"{error} (with {parameter.key}: {show(value)})") from None


def _misspelt(tree: Mapping[str, Any], prefix: str, source: str) -> None:
    """A mapping that was meant as a distribution: one key, a list of values, and a name that is nearly one."""
    for key, value in tree.items():
        if not isinstance(value, Mapping):
            continue
        name, body = next(iter(value.items()), ("", None))
        if len(value) == 1 and isinstance(body, list) and name not in KINDS:
            raise InputError(f'{source}: {prefix}{key}: found "{name}: {show(body)}", {one_of(name, KINDS)}')
        _misspelt(value, f"{prefix}{key}.", source)
