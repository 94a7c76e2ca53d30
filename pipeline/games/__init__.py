"""The games that can be played; a new one is a file here and a line in GAMES."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipeline import plugin
from pipeline.errors import InputError
from pipeline.games.adversarial import AdversarialGame
from pipeline.games.game import PROTOCOL, Game
from pipeline.schema.trial import TrialSpec

GAMES: dict[str, Callable[[TrialSpec, tuple[int, ...], int, Sequence[int]], Game]] = {"adversarial": AdversarialGame}


def build(spec: TrialSpec, shape: tuple[int, ...], seed: int, classes: Sequence[int] = ()) -> Game:
    """The game of a trial for samples of `shape`, its networks initialised from `seed`.

    classes: how many training samples each class has; none without labels. Raises InputError for a game of the
    user's own that is not there or lacks a part of the protocol.
    """
    name = spec.game.name
    if name in GAMES:
        return GAMES[name](spec, shape, seed, classes)
    game: Game = plugin.resolve(name)(spec, shape, seed, classes)
    missing = [part for part in PROTOCOL if not hasattr(game, part)]
    if missing:
        raise InputError(f'"{name}": has no {", ".join(missing)}; a game has {", ".join(PROTOCOL)}')
    return game
