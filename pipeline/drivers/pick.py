"""The driver of a pick: finalists on fresh seeds, to the full budget, as the race wants them; then the neighbours of
its winner, where they were asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.drivers.driver import Job, Runner
from pipeline.picking.standing import FRESH, _has_ended, neighbours_wanted, race
from pipeline.record.log import Line, Record
from pipeline.record.state import SweepState
from pipeline.record.trials import Run
from pipeline.seeds import run_seed
from pipeline.space.load import SweepFile


class PickDriver(Runner):
    """The race (picking/racing.py) over Ray: health rules on, no rungs, and nobody but the record learns of it.

    `then` is called once, when the race is over: it writes down which neighbours are wanted (picking/neighbours.py)
    and says whether there are any.
    """

    def __init__(
        self,
        folder: Path,
        record: Record,
        lines: list[Line],
        file: SweepFile,
        *,
        concurrency: int,
        finalists: Sequence[int],
        seeds: int,
        then: Callable[[SweepState], bool] | None = None,
    ) -> None:
        super().__init__(folder, record, lines, file)
        self._concurrency, self._finalists, self._seeds = concurrency, finalists, seeds
        self._then, self._with_neighbours = then, False
        self.plan = race(self.state, finalists, seeds)
        self._go_over()

    def next_job(self) -> Job | None:
        if self.stopping or len(self._live) >= self._concurrency:
            return None
        for number, replicate in self.wanted:
            seed = run_seed(self.state.seed, FRESH + replicate)
            if (number, seed) in self._live or _has_ended(self.state, number, seed):
                continue
            job = self._job(number, seed, FRESH + replicate)
            self._live[number, seed] = job
            return job
        return None

    @property
    def wanted(self) -> Sequence[tuple[int, int]]:
        """The runs (trial or neighbour, replicate) that are to be made now."""
        return self.plan.wanted or (neighbours_wanted(self.state) if self._with_neighbours else ())

    @property
    def exhausted(self) -> bool:
        return self.stopping is not None or not self.wanted

    def _after(self, job: Job, run: Run) -> None:
        if job.trial not in self.state.neighbours:
            self.plan = race(self.state, self._finalists, self._seeds)
            self._go_over()

    def _go_over(self) -> None:
        """From the race to the neighbours."""
        if not self.plan.wanted and self._then is not None:
            then, self._then = self._then, None
            self._with_neighbours = then(self.state)
