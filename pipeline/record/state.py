"""The state of a sweep: what its record says, folded. Everything that is shown or decided is read from here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.faults import NODE
from pipeline.record.events import (
    AttemptBegan,
    AttemptEnded,
    Audited,
    DriverSaid,
    Line,
    Measured,
    NeighbourProposed,
    NodeSaid,
    PerturbBegan,
    PickBegan,
    Prepared,
    Promoted,
    Repaired,
    RunEnded,
    RunEvent,
    SweepBegan,
    TrialProposed,
    event_of,
)
from pipeline.record.home import command
from pipeline.record.measurement import Measurement
from pipeline.record.runs import Run, nan_last
from pipeline.record.trials import Moved, Trial
from pipeline.schema.metrics import Metric, known, own_metrics

NEIGHBOURS = 1_000_000  # the number of the first neighbour; trials are 0, 1, 2, ...


@dataclass
class SweepState:
    """Made by folding lines; apply(line) goes on with further ones."""

    name: str = field(default="", compare=False)  # as its folder has it, where that is known
    source: str = ""
    space: dict[str, Any] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    prepared: Prepared | None = None
    wanted: int = 0  # trials that it is to have, as the last driver was told
    trials: dict[int, Trial] = field(default_factory=dict)
    driver: DriverSaid | None = None  # the last line of one that searches
    pick: PickBegan | None = None  # what is confirmed: the last such line
    neighbours: dict[int, Trial] = field(default_factory=dict)  # of a pick's winner, in no ranking
    perturb: PerturbBegan | None = None  # which of them are wanted: the last such line
    picker: DriverSaid | None = None  # the last line of a driver that confirms
    started: float = 0.0
    updated: float = 0.0
    seconds: float = 0.0  # with a driver at work
    slots: int = 1  # runs that the driver at work may have at a time
    slot_seconds: float = 0.0  # of all slots, while a driver was at work
    nodes: dict[str, NodeSaid] = field(default_factory=dict)  # of the last driver's cluster, what became of each
    share: float = 0.0  # of a GPU that a run takes; 0: cores
    cores: float = 1.0  # that it takes
    busy: float = 0.0  # seconds of runs under way, all attempts, that ended
    under_way: dict[tuple[int, int], float] = field(default_factory=dict)  # when the attempts began that have not
    lines: int = 0
    repaired: list[str] = field(default_factory=list)  # the files that a damaged record is kept as
    folder: Path | None = field(default=None, compare=False)  # of the sweep, where that is known

    @classmethod
    def fold(cls, lines: Iterable[Line], folder: Path | None = None) -> SweepState:
        state = cls(folder=folder)
        for line in lines:
            state.apply(line)
        return state

    def apply(self, line: Line) -> None:
        """One line on; a measurement that is there already (a retry yields it again) changes nothing."""
        event = event_of(line)
        starts = isinstance(event, DriverSaid) and event.started
        match event:
            case SweepBegan():
                self.name = self.folder.name if self.folder else event.sweep  # a folder may have another name by now
                self.space, self.spec, self.seed = event.space, event.spec, event.seed
                self.source, self.started = event.source, event.time
                self.wanted = self.spec.get("search", {}).get("trials", 0)
            case DriverSaid():
                self._end_attempts(self.updated if starts else event.time)  # one that died took its attempts with it
                self._driven(event)
            case NodeSaid():
                self.nodes[event.node], self.slots = event, event.slots
            case Prepared():
                self.prepared = event
            case TrialProposed(trial=number):
                seeds = self.spec.get("search", {}).get("seeds", 1)
                proposed = Trial(number, event.point, event.spec, event.source, event.time, seeds, seeds)
                self.trials[number] = proposed
            case Promoted():
                self.trials[event.trial].seeds = event.seeds
            case PickBegan():
                self.pick = event
            case PerturbBegan():
                self.perturb = event
            case NeighbourProposed(trial=number):
                moved = Moved(event.of, event.parameter, event.was, event.value)
                neighbour = Trial(number, event.point, event.spec, "perturbed", event.time, moved=moved)
                self.neighbours[number] = neighbour
            case Repaired():
                self.repaired.append(event.damaged)
            case RunEvent():
                self._apply_run(event)
        if self.updated and not starts:
            self.seconds += event.time - self.updated
            self.slot_seconds += self.slots * (event.time - self.updated)
        self.updated = event.time
        self.lines += 1

    def _driven(self, event: DriverSaid) -> None:
        """A driver has started, or ended; one that the other kind's last line leaves at work is gone."""
        if event.started:
            self.picker, self.driver = _gone(self.picker), _gone(self.driver)
            self.nodes = {}
            self.slots = event.slots
            self.share = event.launch.get("gpus_per_trial", 0.0)
            self.cores = event.launch.get("cpus_per_trial", 1.0)
            self.wanted = event.launch.get("trials") or self.wanted
        if event.doing == "pick":
            self.picker = event
        else:
            self.driver = event

    def spent(self, now: float | None = None) -> float:
        """Seconds of runs, times the share of a GPU that each takes, or of cores; with those under way until `now`."""
        under_way = list(self.under_way.values())  # the heart beats in another thread
        busy = self.busy + sum(max(0.0, now - began) for began in under_way) if now else self.busy
        return busy * (self.share or self.cores)

    def _end_attempts(self, at: float) -> None:
        self.busy += sum(max(0.0, at - began) for began in self.under_way.values())
        self.under_way.clear()

    def _apply_run(self, event: RunEvent) -> None:
        trial, key = self.configuration(event.trial), (event.trial, event.seed)
        replicate = event.replicate if isinstance(event, AttemptBegan) else None
        runs = trial.confirmations if event.seed in trial.confirmations or replicate is not None else trial.runs
        if event.seed not in runs:
            runs[event.seed] = Run(trial.number, event.seed, started=event.time, replicate=replicate, own=self.own)
        run = runs[event.seed]
        run.attempt = event.attempt
        if isinstance(event, AttemptEnded | RunEnded) and key in self.under_way:
            self.busy += event.time - self.under_way.pop(key)
        match event:
            case AttemptBegan():
                self.under_way[key] = event.time
                run.host, run.node = event.host, event.node
            case Measured() if event.images > run.images:
                run.measurements.append(Measurement.from_dict(vars(event)))
                run.refilled = len(run.faults)
            case Audited():
                run.audited = event
            case AttemptEnded():
                run.faults.append(event.kind)
                if event.kind == NODE and run.node is not None:
                    run.avoided.add(run.node)
            case RunEnded():
                run.end_reason, run.evidence, run.ended = event.reason, event.evidence, event.time

    def without_nodes(self) -> str:
        """Why nothing can be run any more, in words."""
        causes = dict.fromkeys(f"{node.host}: {node.why}" for node in self.nodes.values() if node.why)
        return f"no node is left on which runs work ({'; '.join(causes)})"

    def command(self, verb: str) -> str:
        """What to type to go on with it."""
        return command(verb, self.folder) if self.folder else f"gansweep {verb} {self.name}"

    @property
    def metric(self) -> str:
        return str(self.spec["objective"])

    @property
    def own(self) -> dict[str, bool]:
        """The metrics of one's own, with whether less is better."""
        return own_metrics(self.space)

    @property
    def known(self) -> Metric:
        """What is known of the objective."""
        return known(self.metric, self.own)

    @property
    def data(self) -> dict[str, Any]:
        """What is known of the data; nothing before they are prepared."""
        return self.prepared.data if self.prepared else {}

    @property
    def features(self) -> str | None:
        """What distances are measured in."""
        return self.prepared.features if self.prepared else None

    @property
    def searching(self) -> str:
        """started | finished | interrupted | failed: as the last driver that searched said."""
        return self.driver.state if self.driver else "started"

    @property
    def picking(self) -> str | None:
        """The same of the last one that confirmed; None without one."""
        return self.picker.state if self.picker else None

    @property
    def floor(self) -> float | None:
        """The objective's floor: what the data themselves reach; None where the metric has none."""
        return self.prepared.floor.get(self.metric) if self.prepared else None

    @property
    def noise_floor(self) -> float | None:
        """What a perfect sampler still has of the objective with so many samples, where that is known."""
        return self.prepared.noise_floor.get(self.metric) if self.prepared else None

    @property
    def floor_spread(self) -> float | None:
        """How much the floor moves with the samples drawn, as a standard deviation."""
        return self.prepared.floor_spread.get(self.metric) if self.prepared else None

    @property
    def default(self) -> Trial | None:
        """The trial of the default configuration, the first known-good one, that all is held against."""
        first = self.trials.get(0)
        return first if first is not None and first.source == "known_good" else None

    @property
    def default_tail(self) -> float | None:
        """The default's tail, once it is completed."""
        default = self.default
        return default.tail(self.metric) if default is not None and default.end_reason == "completed" else None

    def configuration(self, number: int) -> Trial:
        """A trial, or a neighbour of one."""
        return self.neighbours[number] if number in self.neighbours else self.trials[number]

    def run(self, trial: int, seed: int) -> Run | None:
        """The run of a trial with a seed, whether it searched or confirmed."""
        configured = self.configuration(trial)
        return configured.runs.get(seed) or configured.confirmations.get(seed)

    @property
    def confirmations(self) -> list[Run]:
        """The runs that confirm finalists."""
        return [run for trial in self.trials.values() for run in trial.confirmations.values()]

    @property
    def perturbed(self) -> list[Run]:
        """The runs of neighbours."""
        return [run for trial in self.neighbours.values() for run in trial.confirmations.values()]

    @property
    def runs(self) -> list[Run]:
        """The runs of the search."""
        return [run for trial in self.trials.values() for run in trial.runs.values()]

    def ranking(self) -> list[Trial]:
        """Trials with a tail: completed ones first, then those a rung stopped (they are known at a smaller
        budget only), then running, then unhealthy ones; each by its share of healthy seeds, then by its tail."""
        sign = 1 if self.known.minimise else -1
        order = {"completed": 0, "rung": 1, None: 2}
        scored = [(trial, trial.tail(self.metric)) for trial in self.trials.values()]
        keyed = [
            ((order.get(trial.end_reason, 3), -trial.share, nan_last(sign * tail), trial.number), trial)
            for trial, tail in scored
            if tail is not None
        ]
        return [trial for _, trial in sorted(keyed, key=lambda pair: pair[0])]

    @property
    def best_trial(self) -> Trial | None:
        """The completed trial with the best tail, which is a number."""
        first = next(iter(self.ranking()), None)
        tail = first.tail(self.metric) if first and first.end_reason == "completed" else None
        return first if tail is not None and not math.isnan(tail) else None


def _gone(driver: DriverSaid | None) -> DriverSaid | None:
    return replace(driver, state="interrupted") if driver and driver.started else driver
