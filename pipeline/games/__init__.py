"""The games that can be played; a new one is a file here and a line in GAMES."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipeline.games.adversarial import AdversarialGame
from pipeline.games.game import Game
from pipeline.spec.trial import TrialSpec

GAMES: dict[str, Callable[[TrialSpec, tuple[int, ...], int, Sequence[int]], Game]] = {"adversarial": AdversarialGame}


def build(spec: TrialSpec, shape: tuple[int, ...], seed: int, classes: Sequence[int] = ()) -> Game:
    """The game of a trial for samples of `shape`, its networks initialised from `seed`.

    classes: how many training samples each class has; none without labels.
    """
    return GAMES[spec.game.name](spec, shape, seed, classes)
