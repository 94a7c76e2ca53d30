"""The neighbours of a pick's winner: one parameter moved each, to be trained on the winner's own fresh seeds."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.errors import InputError
from pipeline.picking.moves import Move, moves
from pipeline.picking.standing import neighbours_wanted
from pipeline.picking.verdict import standing
from pipeline.record.log import Record
from pipeline.record.state import NEIGHBOURS, SweepState
from pipeline.schema.base import fingerprint
from pipeline.schema.trial import resolve
from pipeline.space.load import SweepFile

SEEDS = 3  # of the winner's at most, the first ones: paired, few seeds tell what breaks


@dataclass(frozen=True)
class Perturbation:
    """factor: that numbers are moved by; choices: whether choices are moved too."""

    factor: float
    choices: bool = False

    def check(self) -> None:
        """Raises InputError for a factor that moves nothing."""
        if not 1 < self.factor < math.inf:
            raise InputError(f"--perturb: found {self.factor:g}; valid: a factor above 1, such as 1.5")


def verb(wanted: Perturbation | None) -> str:
    """What goes on with a pick: its verb and options."""
    if wanted is None:
        return "pick"
    return f"pick --perturb {wanted.factor:g}" + (" --perturb-choices" if wanted.choices else "")


def done(state: SweepState, wanted: Perturbation) -> bool:
    """Whether all that `wanted` asks for is in the record, or there is no winner to ask it of."""
    settings = _settings(state, wanted)
    return settings is None or (_same(state, settings) and not neighbours_wanted(state))


def begin(record: Record, state: SweepState, file: SweepFile, wanted: Perturbation) -> bool:
    """Writes down which neighbours are wanted, where the pick has a winner; those that the record has are used again.
    `state` must listen to the record."""
    settings = _settings(state, wanted)
    if settings is None:
        return False
    winner = settings["of"]
    cuda = state.trials[winner].spec["device"] == "cuda"
    known = {
        (each.moved.of, each.moved.parameter, fingerprint(each.spec)): number
        for number, each in state.neighbours.items()
        if each.moved
    }
    numbers, left = [], []
    for move in moves(state, file.space, winner, wanted.factor, wanted.choices):
        if move.spec is None:
            left.append({"parameter": move.parameter.key, "was": move.was, "why": move.why})
            continue
        spec = resolve(move.spec, cuda).model_dump(mode="json")
        number = known.get((winner, move.parameter.name, fingerprint(spec)))
        if number is None:
            number = NEIGHBOURS + len(state.neighbours)
            record.append("neighbour", trial=number, of=winner, spec=spec, **_moved(move))
        numbers.append(number)
    if not _same(state, settings) or state.perturb is None or state.perturb.neighbours != numbers:
        record.append("perturb", **settings, neighbours=numbers, left=left)
    return True


def _settings(state: SweepState, wanted: Perturbation) -> dict[str, Any] | None:
    """What the record's line `perturb` says is to be done; None before the race is over and has a winner."""
    verdict = standing(state)
    if verdict is None or not verdict.complete:
        return None
    return {"of": verdict.best.trial, "seeds": min(verdict.best.seeds, SEEDS), **asdict(wanted)}


def _same(state: SweepState, settings: dict[str, Any]) -> bool:
    """Whether the last line `perturb` is of these settings."""
    return state.perturb is not None and {key: getattr(state.perturb, key) for key in settings} == settings


def _moved(move: Move) -> dict[str, Any]:
    return {"parameter": move.parameter.name, "was": move.was, "value": move.value, "point": move.point}
