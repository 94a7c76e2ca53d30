"""Transfer: networks that start from a checkpoint of ours, and a discriminator whose lowest blocks are not trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from pipeline.errors import InputError, within
from pipeline.games.game import Game
from pipeline.schema.transfer import InitFromSpec
from pipeline.schema.trial import TrialSpec
from pipeline.training.reading import finite, read, some
from pipeline.training.reading import fitting as fitting_of
from pipeline.training.store import DamagedCheckpoint

# What of a checkpoint each side starts from: the generator from the average, which is what was evaluated.
SOURCES = {"generator": "ema", "discriminator": "discriminator"}


def start_from(game: Game, spec: TrialSpec) -> list[str]:
    """Gives the networks the weights of spec.init_from, and returns the names of those that it leaves as they were
    drawn, none without `partial`. Raises InputError in one line for a checkpoint that is not the one that was
    pinned, is not whole or finite, of another architecture, or, without `partial`, of other shapes."""
    source = spec.init_from
    assert source is not None
    source.check()
    try:
        with within("init_from.path"):
            content = read(Path(source.path), tuple(SOURCES.values()))
            for key in SOURCES.values():
                finite(content, key)
    except DamagedCheckpoint as error:
        raise InputError(f"init_from.path: {error}") from None
    _same_architecture(content.spec, spec, source)
    wrong, left = [], []
    for side, key in SOURCES.items():
        network, saved = getattr(game, side), content.weights[key]
        fitting, others = fitting_of(network.state_dict(), saved)
        wrong += [f"{side}.{line}" for line in others.values()]
        left += [f"{side}.{name}" for name in network.state_dict() if name not in fitting]
        # A scalar, or the bias of one output, fits networks of any size.
        if source.partial and not any(weight.dim() > 1 for weight in fitting.values()):
            raise InputError(
                f"init_from.path: nothing of the {side} in {source.path} fits one {_described(getattr(spec, side))}; "
                "valid: one of which something does"
            )
        if source.partial or not others:
            network.load_state_dict(fitting, strict=False)
    if wrong and not source.partial:
        raise InputError(
            f"init_from.path: {source.path} does not fit: {some(wrong)}; valid: the networks that it is of, or "
            "partial: true for what fits"
        )
    return left


def freeze(discriminator: nn.Module, count: int) -> None:
    """Takes the `count` lowest blocks out of the training: their weights get no gradient and no optimiser."""
    if count == 0:
        return
    listed: Callable[[], list[list[nn.Module]]] | None = getattr(discriminator, "blocks", None)
    if listed is None:
        raise InputError(
            f"init_from.freeze_discriminator: found {count}; {type(discriminator).__name__} has no blocks(), valid: 0"
        )
    blocks = listed()
    if count > len(blocks):
        raise InputError(
            f"init_from.freeze_discriminator: found {count}; the discriminator has {len(blocks)} blocks, "
            f"valid: 0 to {len(blocks)}"
        )
    for block in blocks[:count]:
        for module in block:
            module.requires_grad_(False)


def _same_architecture(theirs: TrialSpec, ours: TrialSpec, source: InitFromSpec) -> None:
    """Raises InputError for another game or another family of networks, which share no weights even by chance."""
    for key, there, here in (
        ("game.name", theirs.game.name, ours.game.name),
        *(
            (f"{side}.network", getattr(theirs, side).network, getattr(ours, side).network)
            for side in ("generator", "discriminator")
        ),
    ):
        if _place_free(there) != _place_free(here):
            raise InputError(
                f"init_from.path: {source.path} is of another architecture: its {key} is {_place_free(there)}, "
                f"here it is {_place_free(here)}; valid: a checkpoint of the same"
            )


def _described(network: Any) -> str:
    """What of a network's spec decides the shapes of its weights."""
    return "with " + ", ".join(f"{key} {getattr(network, key, None)}" for key in ("network", "width", "depth", "norm"))


def _place_free(name: str) -> str:
    """A part of one's own without its folder, which is another one on another machine."""
    return Path(name).name
