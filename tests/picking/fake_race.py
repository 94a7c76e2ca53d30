"""A pick without Ray: the real driver over a real record, its runs trained by a formula."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.drivers.driver import Assignment
from pipeline.drivers.job import Attempt
from pipeline.drivers.nodes import Node, Nodes
from pipeline.drivers.pick import PickDriver, PickOrder
from pipeline.picking.finalists import finalists
from pipeline.picking.neighbours import Perturbation
from pipeline.record.events import Line
from pipeline.record.log import Record, read
from pipeline.record.measurement import Measurement
from pipeline.record.state import SweepState
from pipeline.space.load import SweepFile
from tests.drivers.fake_tune import BUDGET, EVERY, FakeTune, sweep_file

FILE = sweep_file(rungs={"enabled": False})
Score = Callable[[Attempt], float | None]  # None: it collapses


def searched(folder: Path) -> SweepState:
    """A sweep of 8 trials in `folder`, all completed."""
    folder.mkdir(exist_ok=True)
    return FakeTune(folder, FILE).go()


def noisy(job: Attempt) -> float | None:
    """What follows from the learning rate, with the seed's own noise."""
    rate = job.spec["optimiser"]["lr_g"]
    return 20 + 1e4 * abs(rate - 3e-4) + job.seed % 97 / 40


class FakeRace:
    """`jobs`: the runs it has started, in this session."""

    def __init__(
        self,
        folder: Path,
        score: Score = noisy,
        *,
        top: int = 3,
        seeds: int = 5,
        concurrency: int = 1,
        hook: Callable[[Line, str], None] | None = None,
        perturb: Perturbation | None = None,
        file: SweepFile = FILE,
    ) -> None:
        self.score, self.jobs = score, list[Attempt]()
        self.record = Record(folder / "events.jsonl", hook)
        lines, _ = read(self.record.path)
        lines.append(self.record.append("driver", doing="pick", session="p", state="started"))
        chosen = finalists(SweepState.fold(lines), file.space, top)
        given = Assignment(folder, self.record, lines, file, Nodes([Node("", "here", concurrency)]))
        self.driver = PickDriver(given, PickOrder(top, seeds, tuple(chosen), perturb))

    def go(self) -> SweepState:
        """Until nothing is left, the runs taking turns, the last one started first."""
        live: list[tuple[Attempt, int]] = []
        while True:
            while (found := self.driver.next_job()) is not None:
                (job,) = found.runs
                self.jobs.append(job)
                self.driver.started(job)
                live.append((job, EVERY))
            if not live:
                assert self.driver.exhausted
                return self.driver.state
            job, images = live.pop()
            if self.driver.measured(job, self._measurement(job, images)):
                live.append((job, images + EVERY))

    def _measurement(self, job: Attempt, images: int) -> Measurement:
        score = self.score(job)
        if score is None:
            return Measurement(images, {"fid": 500.0}, {"finite": 1.0, "diversity_ratio": 0.1}, images / 100)
        test = {"fid": score + 1, "recall": 1 / score} if images > BUDGET - 3 * EVERY else {}
        metrics = {"fid": score, "recall": 1 / score}
        return Measurement(images, metrics, {"finite": 1.0, "diversity_ratio": 0.9}, images / 100, test=test)
