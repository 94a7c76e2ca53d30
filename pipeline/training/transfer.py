"""Transfer: networks that start from a checkpoint of ours, and a discriminator whose lowest blocks are not trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from pipeline.errors import InputError
from pipeline.games.game import Game
from pipeline.spec.transfer import InitFromSpec
from pipeline.spec.trial import TrialSpec
from pipeline.training.store import DamagedCheckpoint, load

SHOWN = 3  # weights that a line names
# What of a checkpoint each side starts from: the generator from the average, which is what was evaluated.
SOURCES = {"generator": "ema", "discriminator": "discriminator"}


def start_from(game: Game, spec: TrialSpec) -> list[str]:
    """Gives the networks the weights of spec.init_from, and returns the names of those that it leaves as they were
    drawn, none without `partial`. Raises InputError in one line for a checkpoint that is not the one that was
    pinned, of another architecture, or, without `partial`, of other shapes."""
    source = spec.init_from
    assert source is not None
    source.check()
    try:
        content = load(Path(source.path))
    except DamagedCheckpoint as error:
        raise InputError(f"init_from.path: {error}") from None
    _same_architecture(content["spec"], spec, source)
    wrong, left = [], []
    for side, key in SOURCES.items():
        network, saved = getattr(game, side), content["state"][key]
        fitting, others = _fitting(network.state_dict(), saved)
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
        more = f", and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise InputError(
            f"init_from.path: {source.path} does not fit: {', '.join(wrong[:SHOWN])}{more}; valid: the networks that "
            "it is of, or partial: true for what fits"
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


def _same_architecture(theirs: dict[str, Any], ours: TrialSpec, source: InitFromSpec) -> None:
    """Raises InputError for another game or another family of networks, which share no weights even by chance."""
    for key, there, here in (
        ("game.name", theirs["game"]["name"], ours.game.name),
        *(
            (f"{side}.network", theirs[side]["network"], getattr(ours, side).network)
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


def _fitting(here: dict[str, Tensor], there: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """What of a checkpoint's weights fits, and a line by name for what does not."""
    fitting = {name: value for name, value in there.items() if name in here and value.shape == here[name].shape}
    wrong = {}
    for name in [*there, *(name for name in here if name not in there)]:
        if name not in here:
            wrong[name] = f"{name} is only in it"
        elif name not in there:
            wrong[name] = f"{name} is not in it"
        elif name not in fitting:
            wrong[name] = f"{name} is {tuple(there[name].shape)} in it and {tuple(here[name].shape)} here"
    return fitting, wrong
