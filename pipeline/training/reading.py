"""A checkpoint from anywhere, looked through before anything is built of it: whole, of its own sizes, finite."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline import games
from pipeline.errors import InputError, within
from pipeline.games.game import Facts
from pipeline.schema.base import parse
from pipeline.schema.kinds import KINDS
from pipeline.schema.trial import TrialSpec
from pipeline.training.store import DamagedCheckpoint, load

SHOWN = 3  # weights that a line names
LARGEST = 2**28  # values of one sample
MIB = 2**20
Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Saved:
    """weights: by their name in the state."""

    path: Path
    spec: TrialSpec
    state: dict[str, Any]
    weights: dict[str, Weights]
    shape: Any  # as it is in the file, see sample_shape()


def read(path: Path, sides: Sequence[str]) -> Saved:
    """sides: whose weights are wanted. Raises DamagedCheckpoint, and InputError in one line for what is missing, of
    another type, or says that it is larger than the file."""
    content = load(path)
    for name in ("spec", "state"):
        _is(content, name, dict, "a mapping", path)
    spec, state = parse(TrialSpec, content["spec"], str(path)), content["state"]
    for side in sides:
        _is(state, f"state.{side}", dict, "a mapping of weights", path)
        _plain(state[side], side, path)
    return Saved(path, spec, state, {side: state[side] for side in sides}, content.get("shape"))


def finite(saved: Saved, side: str) -> None:
    """InputError that names a tensor with a value that is none."""
    for name, value in saved.weights[side].items():
        if value.is_floating_point() and (broken := int((~value.isfinite()).sum())):
            raise InputError(
                f"{saved.path}: {broken:,} of {value.numel():,} values of {side}.{name} are not finite; valid: a "
                "checkpoint from before the run broke down"
            )


def sample_shape(saved: Saved) -> tuple[int, ...]:
    """Of one sample: (columns,), or (channels, height, width)."""
    shape = saved.shape
    whole = isinstance(shape, list | tuple) and all(_whole(size, 1) for size in shape)
    if not whole or len(shape) not in (1, 3) or math.prod(shape) > LARGEST:
        raise InputError(f"{saved.path}: its shape is {_shown(shape)}; valid: [columns], or [channels, height, width]")
    return tuple(shape)


def counts(saved: Saved) -> list[int]:
    """Training samples of each class; none without labels."""
    classes = saved.state.get("classes")
    if isinstance(classes, list) and all(_whole(count, 0) for count in classes) and (not classes or any(classes)):
        return classes
    raise InputError(f"{saved.path}: its state.classes is {_shown(classes)}; valid: a count of samples for each class")


def facts(saved: Saved) -> Facts:
    """What its game was told of the data."""
    shape, domains = sample_shape(saved), saved.state.get("domains", {})
    of_axes = next(kind.name for kind in KINDS.values() if kind.axes == len(shape))  # checkpoints of before say no kind
    kind = saved.state.get("kind", of_axes)
    if kind not in KINDS:
        raise InputError(f"{saved.path}: its state.kind is {_shown(kind)}; valid: {', '.join(KINDS)}")
    if not isinstance(domains, dict) or not all(isinstance(shape, list) for shape in domains.values()):
        raise InputError(f"{saved.path}: its state.domains is {_shown(domains)}; valid: a shape by name")
    shapes = {name: Facts(kind, tuple(shape)) for name, shape in domains.items()}
    return Facts(kind, shape, tuple(counts(saved)), shapes)


def units(saved: Saved, columns: int) -> tuple[Tensor | None, Tensor | None]:
    """The centre and scale of a table of so many columns; None of what was not standardised, as in older ones."""
    stored = [saved.state.get(name) for name in ("centre", "scale")]
    if stored == [None, None]:
        return None, None
    for name, values in zip(("centre", "scale"), stored, strict=True):
        numbers = values if isinstance(values, list) else []
        right = all(isinstance(each, float) and math.isfinite(each) for each in numbers)
        if not right or len(numbers) != columns or (name == "scale" and min(numbers) <= 0):
            raise InputError(
                f"{saved.path}: its state.{name} is {_shown(values)}; valid: a number a column ({columns})"
            )
    centre, scale = (torch.tensor(values, dtype=torch.float64) for values in stored)
    return centre, scale


def check_sizes(saved: Saved) -> None:
    """InputError where the networks of its spec are not those whose weights it has: built without memory, since a spec
    can ask for any amount."""
    try:
        with within(str(saved.path)), torch.device("meta"):
            game = games.build(saved.spec, facts(saved), 0)
    except InputError:
        raise
    except Exception as error:  # sizes that overflow
        text = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise InputError(f"{saved.path}: the networks of its spec cannot be built ({text})") from None
    for side, key in (("generator", "ema"), ("discriminator", "discriminator")):
        fits(saved, key, getattr(game, side))


def fits(saved: Saved, key: str, network: nn.Module) -> None:
    """InputError where the weights are not those of the network."""
    _, wrong = fitting(network.state_dict(), saved.weights[key])
    if wrong:
        lines = [f"{key}.{line}" for line in wrong.values()]
        raise InputError(f"{saved.path}: its weights are not those of its spec: {some(lines)}{of_before(saved.spec)}")


def of_before(spec: TrialSpec) -> str:
    """What may have changed since a checkpoint was made whose weights are not those of its spec."""
    if spec.discriminator.minibatch == "stddev":
        return (
            "; of a checkpoint of before, when minibatch stddev came after the last block, nothing can be read any more"
        )
    return ""


def fitting(here: Mapping[str, Tensor], there: Mapping[str, Tensor]) -> tuple[Weights, dict[str, str]]:
    """What of a checkpoint's weights fits, and a line by name for what does not."""
    weights = {name: value for name, value in there.items() if name in here and value.shape == here[name].shape}
    wrong = {}
    for name in [*there, *(name for name in here if name not in there)]:
        if name not in here:
            wrong[name] = f"{name} is only in it"
        elif name not in there:
            wrong[name] = f"{name} is not in it"
        elif name not in weights:
            wrong[name] = f"{name} is {tuple(there[name].shape)} in it and {tuple(here[name].shape)} here"
    return weights, wrong


def some(lines: Sequence[str]) -> str:
    more = f", and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return ", ".join(lines[:SHOWN]) + more


def _plain(weights: Mapping[Any, Any], side: str, path: Path) -> None:
    """A tensor of one value can say that it is of any shape: what is in the file is at most as large as the file."""
    for name, value in weights.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise InputError(f"{path}: its state.{side}.{name} is {_shown(value)}; valid: a tensor")
        if value.layout != torch.strided or value.is_quantized or value.is_complex() or value.is_meta:
            raise InputError(f"{path}: its state.{side}.{name} is no plain tensor of real numbers")
    claimed, there = sum(value.numel() * value.element_size() for value in weights.values()), path.stat().st_size
    if claimed > there:
        raise InputError(
            f"{path}: its state.{side} says that it has {claimed / MIB:,.1f} MiB of weights, and the file has "
            f"{there / MIB:,.1f}; it is no checkpoint of gansweep"
        )


def _is(tree: Mapping[str, Any], name: str, kind: type, valid: str, path: Path) -> None:
    """name: dotted, of which the tree has the last part."""
    key = name.rpartition(".")[2]
    if key not in tree:
        raise DamagedCheckpoint(f"{path}: has no {name}; it is no whole checkpoint of gansweep")
    if not isinstance(tree[key], kind):
        raise DamagedCheckpoint(f"{path}: its {name} is {_shown(tree[key])}; valid: {valid}")


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of {tuple(value.shape)}"
    text = repr(value)
    return text if len(text) <= 60 else f"a {type(value).__name__}"
