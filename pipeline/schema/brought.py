"""What a choice of the game brings `with` it: each game its own regularisers, norms and rates."""

from __future__ import annotations

from typing import Any

# What a game can bring `with` it: everything in which the trials of a sweep may differ.
BROUGHT = (
    "latent",
    "generator",
    "discriminator",
    "regularisers",
    "augmentation",
    "optimiser",
    "ema",
    "batch_size",
    "microbatch",
)


def with_brought(tree: Any) -> Any:
    """The tree of a trial with what its game brings put where it belongs."""
    game = tree.get("game") if isinstance(tree, dict) else None
    if not isinstance(game, dict) or game.get("with") is None:
        return tree
    brought = game["with"]
    if not isinstance(brought, dict) or not brought.keys() <= set(BROUGHT):
        raise ValueError(f"game.with: found {_shown(brought)}; valid: a mapping of {', '.join(BROUGHT)}")
    rest = {**tree, "game": {key: value for key, value in game.items() if key != "with"}}
    return _merged(rest, brought, "")


def _merged(tree: dict[str, Any], brought: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Both trees as one; ValueError for a key that both have a value of."""
    merged = dict(tree)
    for key, value in brought.items():
        there = merged.get(key)
        if isinstance(there, dict) and isinstance(value, dict):
            merged[key] = _merged(there, value, f"{prefix}{key}.")
        elif there is None:
            merged[key] = value
        else:
            raise ValueError(f"game.with: found {prefix}{key}, which is given beside game too; valid: in one place")
    return merged


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, dict) else str(value)
