"""The state of a sweep: what its record says, folded. Everything that is shown or decided is read from here."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.record.home import command
from pipeline.record.log import Line, Record
from pipeline.record.measurement import Measurement
from pipeline.record.trials import Moved, Run, Trial, nan_last
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
    prepared: dict[str, Any] = field(default_factory=dict)
    wanted: int = 0  # trials that it is to have, as the last driver was told
    trials: dict[int, Trial] = field(default_factory=dict)
    driver: dict[str, Any] = field(default_factory=dict)
    pick: dict[str, Any] = field(default_factory=dict)  # what is confirmed: the last such line
    neighbours: dict[int, Trial] = field(default_factory=dict)  # of a pick's winner, in no ranking
    perturb: dict[str, Any] = field(default_factory=dict)  # which of them are wanted: the last such line
    picker: dict[str, Any] = field(default_factory=dict)  # the last line of a driver that confirms
    started: float = 0.0
    updated: float = 0.0
    seconds: float = 0.0  # with a driver at work
    slots: int = 1  # runs that the driver at work may have at a time
    slot_seconds: float = 0.0  # of all slots, while a driver was at work
    share: float = 0.0  # of a GPU that a run takes; 0: a core
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
        event, now = line["event"], line["time"]
        if event == "driver":  # one that died took its attempts with it
            self._end_attempts(self.updated if line["state"] == "started" else now)
        if event == "sweep":
            self.name = self.folder.name if self.folder else line["name"]  # a folder may have another name by now
            self.space, self.spec, self.seed = line["space"], line["spec"], line["seed"]
            self.source, self.started = line["source"], now
            self.wanted = self.spec.get("search", {}).get("trials", 0)
        elif event == "driver":
            picks = line.get("doing") == "pick"
            if line["state"] == "started":  # so one that the other kind's last line leaves at work is gone
                self.picker, self.driver = ({**each, **_gone(each)} for each in (self.picker, self.driver))
            if picks:
                self.picker = line
            else:
                self.driver = line
            if line["state"] == "started":
                launch = line.get("launch", {})
                self.slots, self.share = line.get("slots", 1), launch.get("gpus_per_trial", 0.0)
                self.wanted = launch.get("trials") or self.wanted
        elif event == "pick":
            self.pick = line
        elif event == "perturb":
            self.perturb = line
        elif event == "neighbour":
            moved = Moved(line["of"], line["parameter"], line["was"], line["value"])
            number = line["trial"]
            self.neighbours[number] = Trial(number, line["point"], line["spec"], "perturbed", now, moved=moved)
        elif event == "prepared":
            self.prepared = line
        elif event == "trial":
            number = line["trial"]
            seeds = self.spec.get("search", {}).get("seeds", 1)
            self.trials[number] = Trial(number, line["point"], line["spec"], line["source"], now, seeds, seeds)
        elif event == "repaired":
            self.repaired.append(line["damaged"])
        elif event == "promoted":
            self.trials[line["trial"]].seeds = line["seeds"]
        else:
            self._apply_run(line)
        if self.updated and not (event == "driver" and line["state"] == "started"):
            self.seconds += now - self.updated
            self.slot_seconds += self.slots * (now - self.updated)
        self.updated = now
        self.lines += 1

    def spent(self, now: float | None = None) -> float:
        """Seconds of runs, times the share of a GPU that each takes, or of cores; with those under way until `now`."""
        under_way = list(self.under_way.values())  # the heart beats in another thread
        busy = self.busy + sum(max(0.0, now - began) for began in under_way) if now else self.busy
        return busy * (self.share or 1.0)

    def _end_attempts(self, at: float) -> None:
        self.busy += sum(max(0.0, at - began) for began in self.under_way.values())
        self.under_way.clear()

    def _apply_run(self, line: Line) -> None:
        trial, seed = self.configuration(line["trial"]), line["seed"]
        confirms = seed in trial.confirmations or line.get("replicate") is not None
        runs = trial.confirmations if confirms else trial.runs
        new = Run(trial.number, seed, started=line["time"], replicate=line.get("replicate"), own=self.own)
        run = runs.setdefault(seed, new)
        run.attempt = line["attempt"]
        key = (trial.number, seed)
        if line["event"] == "attempt":
            self.under_way[key] = line["time"]
        elif line["event"] in ("attempt_ended", "run_ended") and key in self.under_way:
            self.busy += line["time"] - self.under_way.pop(key)
        if line["event"] == "measurement" and line["images"] > run.images:
            run.measurements.append(Measurement.from_dict(line))
        elif line["event"] == "attempt_ended":
            run.faults.append(line.get("kind", "lost"))
        elif line["event"] == "run_ended":
            run.end_reason, run.evidence, run.ended = line["reason"], line["evidence"], line["time"]

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
    def floor(self) -> float | None:
        """The objective's floor: what the data themselves reach; None where the metric has none."""
        found: float | None = self.prepared.get("floor", {}).get(self.metric)
        return found

    @property
    def noise_floor(self) -> float | None:
        """What a perfect sampler still has of the objective with so many samples, where that is known."""
        found: float | None = self.prepared.get("noise_floor", {}).get(self.metric)
        return found

    @property
    def floor_spread(self) -> float | None:
        """How much the floor moves with the samples drawn, as a standard deviation."""
        found: float | None = self.prepared.get("floor_spread", {}).get(self.metric)
        return found

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
        found = self.configuration(trial)
        return found.runs.get(seed) or found.confirmations.get(seed)

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
            ((order.get(trial.end_reason, 3), -trial.share, nan_last(sign * found), trial.number), trial)
            for trial, found in scored
            if found is not None
        ]
        return [trial for _, trial in sorted(keyed, key=lambda pair: pair[0])]

    @property
    def best_trial(self) -> Trial | None:
        """The completed trial with the best tail, which is a number."""
        first = next(iter(self.ranking()), None)
        tail = first.tail(self.metric) if first and first.end_reason == "completed" else None
        return first if tail is not None and not math.isnan(tail) else None


class Follower:
    """A state of one's own that follows a record: for any thread but the one that writes it. Hearing a line is safe
    from that thread; state() is for one thread alone, which may keep what it got until it calls again."""

    def __init__(self, record: Record, lines: Iterable[Line], folder: Path) -> None:
        """`lines`: all that the record holds; nothing must be written to it before this returns."""
        self._state = SweepState.fold(lines, folder)
        self._heard: deque[Line] = deque()
        self._notices: list[str] = []
        record.listen(self._heard.append)

    def state(self) -> SweepState:
        """The sweep as the record has it now."""
        while self._heard:
            line = self._heard.popleft()
            self._state.apply(line)
            if line["event"] == "notice":
                self._notices.append(f"trial {line['trial']}: {line['text']}")
        return self._state

    def notices(self) -> list[str]:
        """What users should know of the lines since the last call."""
        self.state()
        said, self._notices = self._notices, []
        return said


def _gone(driver: dict[str, Any]) -> dict[str, Any]:
    return {"state": "interrupted"} if driver.get("state") == "started" else {}
