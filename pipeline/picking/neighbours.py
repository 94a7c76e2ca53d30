"""The winner's neighbours trained: one parameter moved, the winner's own fresh seeds, full budget, health rules on."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.picking.driver import FRESH
from pipeline.picking.moves import Move, moves
from pipeline.record import Line, Record
from pipeline.runs import Job, Runner, run_folder
from pipeline.seeds import run_seed
from pipeline.spec.base import fingerprint
from pipeline.spec.load import SweepFile
from pipeline.spec.trial import resolve
from pipeline.state import NEIGHBOURS, Run, SweepState

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


def settings(winner: int, seeds: int, wanted: Perturbation) -> dict[str, Any]:
    """What the record's line `perturb` says is to be done. seeds: that the winner was run on."""
    return {"of": winner, "seeds": min(seeds, SEEDS), **asdict(wanted)}


def begin(record: Record, lines: list[Line], file: SweepFile, chosen: dict[str, Any]) -> None:
    """Writes down which neighbours are wanted, into the record and `lines`; those that it has are used again."""
    state, winner = SweepState.fold(lines), int(chosen["of"])
    cuda = state.trials[winner].spec["device"] == "cuda"
    known = {
        (each.moved.of, each.moved.parameter, fingerprint(each.spec)): number
        for number, each in state.neighbours.items()
        if each.moved
    }
    numbers, left = [], []
    for move in moves(state, file.space, winner, chosen["factor"], chosen["choices"]):
        if move.spec is None:
            left.append({"parameter": move.parameter.key, "was": move.was, "why": move.why})
            continue
        spec = resolve(move.spec, cuda).model_dump(mode="json")
        number = known.get((winner, move.parameter.name, fingerprint(spec)))
        if number is None:
            number = NEIGHBOURS + len(state.neighbours)
            line = record.append("neighbour", trial=number, of=winner, spec=spec, **_moved(move))
            state.apply(line)
            lines.append(line)
        numbers.append(number)
    if not same(state, chosen) or state.perturb["neighbours"] != numbers:
        lines.append(record.append("perturb", **chosen, neighbours=numbers, left=left))


def same(state: SweepState, chosen: dict[str, Any]) -> bool:
    """Whether the last line `perturb` is of these settings."""
    return {key: state.perturb.get(key) for key in chosen} == chosen


def wanted(state: SweepState) -> list[tuple[int, int]]:
    """The runs (neighbour, replicate) of the last line `perturb` that have not ended, a seed at a time."""
    if not state.perturb:
        return []
    return [
        (number, replicate)
        for replicate in range(state.perturb["seeds"])
        for number in state.perturb["neighbours"]
        if not _has_ended(state.run(number, run_seed(state.seed, FRESH + replicate)))
    ]


class NeighbourDriver(Runner):
    """No rungs, and nobody but the record learns of it, as in a pick."""

    def __init__(self, folder: Path, record: Record, lines: list[Line], file: SweepFile, *, concurrency: int) -> None:
        super().__init__(folder, record, lines, file)
        self._concurrency = concurrency

    def next_job(self) -> Job | None:
        if self.stopping or len(self._live) >= self._concurrency:
            return None
        for number, replicate in wanted(self.state):
            seed = run_seed(self.state.seed, FRESH + replicate)
            if (number, seed) in self._live:
                continue
            spec, folder = self.state.neighbours[number].spec, str(run_folder(self._folder, number, seed))
            job = Job(number, seed, spec, self._file.sweep.objective, folder, FRESH + replicate)
            self._live[number, seed] = job
            return job
        return None

    @property
    def exhausted(self) -> bool:
        return self.stopping is not None or not wanted(self.state)

    def _after(self, job: Job, run: Run) -> None:
        """Nothing: all runs are wanted, whatever the others come to."""


def _has_ended(run: Run | None) -> bool:
    return run is not None and run.end_reason is not None


def _moved(move: Move) -> dict[str, Any]:
    return {"parameter": move.parameter.name, "was": move.was, "value": move.value, "point": move.point}
