"""The games that can be played; a new one is a file here and a row of schema/game.GAMES."""

from __future__ import annotations

from pipeline import plugin
from pipeline.errors import InputError
from pipeline.games.game import PROTOCOL, PROTOCOL_VERSION, Facts, Game
from pipeline.schema.game import GAMES
from pipeline.schema.rows import at
from pipeline.schema.trial import TrialSpec

# By the version that a game was written for, what to change in it.
CHANGED = {
    1: "the class says `protocol = 2`, is made as (spec, data, seed) with data.shape and data.classes, and derives "
    "from Plain in place of Stateless; inputs(count, randomness, batch) always has a batch, a mapping; "
    "generate(generator, inputs, draw) is handed its randomness; Losses(terms, {'samples': (real, fake)}) in place of "
    "two scores; intervals, auxiliary, advance and constrain are told the side first"
}


def build(spec: TrialSpec, data: Facts, seed: int) -> Game:
    """The game of a trial, its networks initialised from `seed`.

    Raises InputError for a game of the user's own that is not there, was written for another protocol, or lacks a part
    of it.
    """
    name = spec.game.name
    if name in GAMES:
        known: Game = at(GAMES[name])(spec, data, seed)
        return known
    made = plugin.resolve(name)
    version = getattr(made, "protocol", 1)
    if version != PROTOCOL_VERSION and hasattr(made, "discriminator_loss"):  # else it is no game at all
        change = CHANGED.get(version, f"valid: protocol = {PROTOCOL_VERSION}")
        raise InputError(
            f'"{name}": was written for version {version} of the game protocol, this gansweep plays version '
            f"{PROTOCOL_VERSION}: {change}"
        )
    game: Game = made(spec, data, seed)
    missing = [part for part in PROTOCOL if not hasattr(game, part)]
    if missing:
        raise InputError(f'"{name}": has no {", ".join(missing)}; a game has {", ".join(PROTOCOL)}')
    return game
