"""Trees: a tensor, or tensors by name, one row a sample. Batches, a game's inputs and its fakes are trees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

Tree = Tensor | Mapping[str, Tensor]


def mapped(function: Callable[[Tensor], Tensor], tree: Tree) -> Tree:
    """The tree of what `function` makes of each tensor."""
    return function(tree) if isinstance(tree, Tensor) else {name: function(each) for name, each in tree.items()}


def tensors(tree: Tree) -> list[Tensor]:
    return [tree] if isinstance(tree, Tensor) else list(tree.values())


def rows(tree: Tree) -> int:
    """How many samples it is of."""
    return len(tensors(tree)[0])


def chunks(tree: Tree, size: int) -> list[Tree]:
    """The tree in parts of at most so many rows."""
    if isinstance(tree, Tensor):
        return list(tree.split(size))
    parts = zip(*(each.split(size) for each in tree.values()), strict=True)
    return [dict(zip(tree, part, strict=True)) for part in parts]


def joined(parts: Sequence[Tree]) -> Tree:
    """One tree of the rows of all."""
    first = parts[0]
    if isinstance(first, Tensor):
        return torch.cat([part for part in parts if isinstance(part, Tensor)])
    return {name: torch.cat([part[name] for part in parts if not isinstance(part, Tensor)]) for name in first}


def named(tree: Tree, name: str) -> dict[str, Tensor]:
    """By name; a tensor alone is called `name`."""
    return {name: tree} if isinstance(tree, Tensor) else dict(tree)


def shown(tree: object) -> str:
    """Its shapes, for a line that says it is wrong."""
    if isinstance(tree, Tensor):
        return f"a tensor of {tuple(tree.shape)}"
    if isinstance(tree, Mapping):
        return "{" + ", ".join(f"{name}: {shown(each)}" for name, each in tree.items()) + "}"
    return type(tree).__name__
