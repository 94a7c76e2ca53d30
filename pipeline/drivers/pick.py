"""The driver of a pick: finalists on fresh seeds, to the full budget, as the race wants them; then the neighbours of
its winner, where they were asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.drivers.driver import Assignment, Driver
from pipeline.drivers.job import Attempt, Job
from pipeline.picking import neighbours
from pipeline.picking.finalists import Finalist
from pipeline.picking.standing import FRESH, has_ended, neighbours_wanted, race
from pipeline.record.runs import Run
from pipeline.record.state import SweepState
from pipeline.seeds import run_seed


@dataclass(frozen=True)
class PickOrder:
    """What a pick is to do."""

    top: int  # finalists by score that were asked for
    seeds: int  # fresh ones, for those that can still win
    finalists: tuple[Finalist, ...]
    perturb: neighbours.Perturbation | None = None  # the winner's neighbours too

    @property
    def numbers(self) -> list[int]:
        """The finalists' trials."""
        return [finalist.trial for finalist in self.finalists]

    @property
    def line(self) -> dict[str, Any]:
        """Its line in the record."""
        why = {str(finalist.trial): list(finalist.why) for finalist in self.finalists}
        default = next((finalist.trial for finalist in self.finalists if "default" in finalist.why), None)
        return {"top": self.top, "seeds": self.seeds, "finalists": why, "against": default}

    def begun(self, state: SweepState) -> bool:
        """Whether it is what the sweep's last pick was to do; an older one, which had its default on fewer seeds, is
        gone on with as it was begun."""
        last = state.pick
        if last is None:
            return False
        wanted = {**self.line, "against": last.against}
        return wanted == {each: getattr(last, each) for each in wanted}

    def done(self, state: SweepState) -> bool:
        """Whether all of it is in the record."""
        if not self.begun(state) or race(state, self.numbers, self.seeds).wanted:
            return False
        if state.picking != "finished":
            return False
        return self.perturb is None or neighbours.done(state, self.perturb)


class PickDriver(Driver):
    """The race (picking/racing.py) over Ray: health rules on, no rungs, and nobody but the record learns of it. Once it
    is over, and neighbours are wanted, it writes down which, and trains them."""

    def __init__(self, given: Assignment, order: PickOrder) -> None:
        super().__init__(given)
        self._order = order
        if not order.begun(self.state):
            self._record.append("pick", **order.line)
        self._with_neighbours = False
        self._plan = race(self.state, order.numbers, order.seeds)
        self._go_over()

    def next_job(self) -> Job | None:
        if self.stopping or self._place() is None:
            return None
        for number, seed, replicate in self._waiting:
            if (job := self._job(number, seed, replicate)) is not None:
                return job
        return None

    @property
    def _waiting(self) -> Iterator[tuple[int, int, int]]:
        """Trial or neighbour, seed and replicate of each run that is to be made and is not under way."""
        for number, replicate in self._wanted:
            seed = run_seed(self.state.seed, FRESH + replicate)
            if (number, seed) not in self._live and not has_ended(self.state, number, seed):
                yield number, seed, FRESH + replicate

    @property
    def _further(self) -> int:
        return sum(1 for _ in self._waiting)

    @property
    def _wanted(self) -> Sequence[tuple[int, int]]:
        """The runs (trial or neighbour, replicate) that are to be made now."""
        return self._plan.wanted or (neighbours_wanted(self.state) if self._with_neighbours else ())

    @property
    def exhausted(self) -> bool:
        return self.stopping is not None or not self._wanted

    def _after(self, attempt: Attempt, run: Run) -> None:
        if attempt.trial not in self.state.neighbours:
            self._plan = race(self.state, self._order.numbers, self._order.seeds)
            self._go_over()

    def _go_over(self) -> None:
        """From the race to the neighbours, once."""
        if not self._plan.wanted and self._order.perturb and not self._with_neighbours:
            self._with_neighbours = neighbours.begin(self._record, self.state, self._file, self._order.perturb)
