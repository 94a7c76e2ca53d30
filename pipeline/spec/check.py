"""Every value that a space can give is put into a TrialSpec when the space is loaded, not when a trial meets it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.distributions import KINDS, Choice, show
from pipeline.errors import InputError, one_of
from pipeline.space import Parameter, Space
from pipeline.spec.base import parse
from pipeline.spec.trial import TrialSpec

NOT_SEARCHED = ("data", "budget", "evaluation", "device", "precision", "memory_format")


def check(space: Space) -> tuple[str, ...]:
    """What a user should be told of the space; InputError where some value of it cannot be in a TrialSpec. Each
    end of a range and each option is tried, with the others at their first option or low end."""
    parameters = space.parameters()
    for parameter in parameters:
        section = parameter.key.split(".")[0]
        if section in NOT_SEARCHED:
            raise InputError(
                f"{space.source}: {parameter.key}: found a distribution; valid: one value, "
                f"trials that differ in {section} cannot be compared"
            )
    _misspelt(space.tree, "", space.source)
    specs = [_try(space, parameters, {})]
    for parameter in parameters:
        for value in parameter.distribution.ends:
            specs.append(_try(space, [parameter], {**dict(parameter.branch), parameter.name: value}))
    return _warnings(specs, space.source)


def _warnings(specs: Sequence[TrialSpec], source: str) -> tuple[str, ...]:
    penalties = {name for spec in specs for name, value in spec.regularisers if value is not None}
    if penalties and any(spec.discriminator.norm == "batch" for spec in specs):
        line = (
            "the gradient is then of the batch's sum, not of each sample (layer, instance and spectral keep them apart)"
        )
        return (
            f"{source}: discriminator.norm: batch under a gradient penalty ({', '.join(sorted(penalties))}): {line}",
        )
    return ()


def _try(space: Space, suspects: Sequence[Parameter], forced: Mapping[str, Any]) -> TrialSpec:
    """Puts the point with `forced` into a TrialSpec; an error says which of `suspects` it came with."""
    point, tree = space.realise(lambda p: forced.get(p.name, p.distribution.ends[0]))
    try:
        return parse(TrialSpec, tree, space.source)
    except InputError as error:
        line = str(error)
        for suspect in suspects:
            if line.startswith(f"{space.source}: {suspect.key}: ") and not isinstance(suspect.distribution, Choice):
                raise InputError(f"{line} (searched: {suspect.distribution.describe()})") from None
            if suspect.name in forced and not line.startswith(f"{space.source}: {suspect.key}: "):
                raise InputError(f"{line} (with {suspect.key}: {show(point[suspect.name])})") from None
        raise


def _misspelt(tree: Mapping[str, Any], prefix: str, source: str) -> None:
    """A mapping that was meant as a distribution: a list of values under a name that is nearly one, or beside
    other keys."""
    for key, value in tree.items():
        if not isinstance(value, Mapping):
            continue
        for name, body in value.items():
            if isinstance(body, list) and len(value) == 1 and name not in KINDS:
                raise InputError(f'{source}: {prefix}{key}: found "{name}: {show(body)}", {one_of(name, KINDS)}')
            if isinstance(body, list) and len(value) > 1 and name in KINDS:
                raise InputError(f"{source}: {prefix}{key}: found {show(value)}; valid: {name} alone")
        _misspelt(value, f"{prefix}{key}.", source)
