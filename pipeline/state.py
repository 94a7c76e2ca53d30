"""The state of a sweep: what its record says, folded. Everything that is shown or decided is read from here."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pipeline.measurement import Measurement
from pipeline.metrics.catalogue import Metric, known, own_metrics
from pipeline.record import Line

TAIL = 3  # evaluations
NEIGHBOURS = 1_000_000  # the number of the first neighbour; trials are 0, 1, 2, ...

HEALTH_REASONS = ("non_finite", "degenerate", "collapsed", "discriminator_won", "diverged")
SETTLING = ("rung", "out_of_memory", "invalid", "crashed")  # another seed would tell nothing more
END_REASONS = ("completed", "rung", *HEALTH_REASONS, "out_of_memory", "invalid", "crashed", "retries_spent")


@dataclass
class Run:
    """One training of a trial's configuration with one seed. replicate: the number of the seed, of a run that
    confirms a finalist (see picking/); None in the search."""

    trial: int
    seed: int
    attempt: int = 0
    replicate: int | None = None
    started: float = 0.0
    ended: float | None = None
    end_reason: str | None = None
    evidence: dict[str, Any] | None = None
    measurements: list[Measurement] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)  # what ended its attempts, through no fault of its own
    own: dict[str, bool] = field(default_factory=dict)  # metrics of one's own, with whether less is better

    @property
    def state(self) -> str:
        return "running" if self.end_reason is None else "finished"

    @property
    def images(self) -> int:
        return self.measurements[-1].images if self.measurements else 0

    @property
    def seconds(self) -> float:
        return self.measurements[-1].seconds if self.measurements else 0.0

    @property
    def settles(self) -> bool:
        """Ended in a way that makes its trial's further seeds not worth a run."""
        return self.end_reason in SETTLING

    @property
    def healthy(self) -> bool:
        """Ended as a result that counts: trained to the full budget or stopped by comparison alone."""
        return self.end_reason in ("completed", "rung")

    def values(self, metric: str) -> list[tuple[int, float]]:
        """(images, value) at each evaluation that found the metric."""
        return [(m.images, m.metrics[metric]) for m in self.measurements if metric in m.metrics]

    def tail(self, metric: str) -> float | None:
        """The median of the last 3 evaluations: what the run is compared by."""
        return tail([value for _, value in self.values(metric)])

    def test_tail(self, metric: str) -> float | None:
        """The median of the last 3 evaluations on the test part; None of a run that did not confirm."""
        return tail([m.test[metric] for m in self.measurements if metric in m.test])

    def final(self, metric: str) -> float | None:
        """The value at the last evaluation."""
        values = self.values(metric)
        return values[-1][1] if values else None

    def minimises(self, metric: str) -> bool:
        """Whether less of it is better."""
        return known(metric, self.own).minimise

    def best(self, metric: str) -> tuple[int, float] | None:
        """(images, value) of the best evaluation, NaN only where all of them are."""
        values = self.values(metric)
        sign = 1 if self.minimises(metric) else -1
        return min(values, key=lambda at: _nan_last(sign * at[1])) if values else None


@dataclass(frozen=True)
class Moved:
    """What a neighbour is: the trial `of` with one parameter (its full name) moved."""

    of: int
    parameter: str
    was: Any
    value: Any


@dataclass
class Trial:
    """One configuration that the sampler (or known_good) proposed. runs: those of the search, by seed, which alone
    are compared, ranked and told to the sampler; confirmations: those on fresh seeds, which confirm it. moved: of a
    neighbour of a trial (see picking/plateau.py), which is no trial of the sweep and has confirmations alone."""

    number: int
    point: dict[str, Any]
    spec: dict[str, Any]
    source: str
    proposed: float
    base_seeds: int = 1  # runs that every trial has
    seeds: int = 1  # runs that it is to have: more once it is promoted
    runs: dict[int, Run] = field(default_factory=dict)
    confirmations: dict[int, Run] = field(default_factory=dict)
    moved: Moved | None = None

    @property
    def title(self) -> str:
        """'trial 3', or 'trial 3 with optimiser.lr_d 0.0031'."""
        if self.moved is None:
            return f"trial {self.number}"
        value = f"{self.moved.value:.3g}" if isinstance(self.moved.value, float) else self.moved.value
        return f"trial {self.moved.of} with {next(iter(params({self.moved.parameter: None})))} {value}"

    @property
    def params(self) -> dict[str, Any]:
        return params(self.point)

    @property
    def first(self) -> Run | None:
        return next(iter(self.runs.values()), None)

    @property
    def state(self) -> str:
        if not self.runs:
            return "waiting"
        runs = self.runs.values()
        if any(run.state == "running" for run in runs):
            return "running"
        return "finished" if len(runs) >= self.seeds or any(run.settles for run in runs) else "running"

    @property
    def share(self) -> float:
        """Of its runs that ended, how many were healthy; 1 before there is one."""
        ended = [run for run in self.runs.values() if run.end_reason is not None]
        return sum(run.healthy for run in ended) / len(ended) if ended else 1.0

    def tail(self, metric: str) -> float | None:
        """The median over its runs of their tails, where one that ended unhealthy counts as worse than any; where
        those are the most, the median of what their tails were. Of the runs that ended, once it is known how it did."""
        counted = [run for run in self.runs.values() if run.end_reason is not None or self.end_reason is None]
        tails = [(run, found) for run in counted if (found := run.tail(metric)) is not None]
        worst = math.inf if all(run.minimises(metric) for run, _ in tails) else -math.inf
        found = median(worst if run.end_reason and not run.healthy else value for run, value in tails)
        return found if found is None or math.isfinite(found) else median(value for _, value in tails)

    @property
    def end_reason(self) -> str | None:
        """None until the runs that every trial has ended; further ones, of a promoted trial, may be under way. What
        most of those that ended were: where half of them or more were not healthy the most frequent reason of those,
        else rung, if one was stopped there, else completed."""
        ended = [run for run in self.runs.values() if run.end_reason is not None]
        if not ended or (len(ended) < self.base_seeds and not any(run.settles for run in ended)):
            return None
        unhealthy = [str(run.end_reason) for run in ended if not run.healthy]
        if 2 * len(unhealthy) >= len(ended):
            return most_frequent(unhealthy)
        return "rung" if any(run.end_reason == "rung" for run in ended) else "completed"


@dataclass
class SweepState:
    """Made by folding lines; apply(line) goes on with further ones."""

    name: str = ""
    source: str = ""
    space: dict[str, Any] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    prepared: dict[str, Any] = field(default_factory=dict)
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

    @classmethod
    def fold(cls, lines: Iterable[Line]) -> SweepState:
        state = cls()
        for line in lines:
            state.apply(line)
        return state

    def apply(self, line: Line) -> None:
        """One line on; a measurement that is there already (a retry yields it again) changes nothing."""
        event, now = line["event"], line["time"]
        if event == "driver":  # one that died took its attempts with it
            self._end_attempts(self.updated if line["state"] == "started" else now)
        if event == "sweep":
            self.name, self.space, self.spec, self.seed = line["name"], line["space"], line["spec"], line["seed"]
            self.source, self.started = line["source"], now
        elif event == "driver":
            picks = line.get("doing") == "pick"
            if line["state"] == "started":  # so one that the other kind's last line leaves at work is gone
                self.picker, self.driver = ({**each, **_gone(each)} for each in (self.picker, self.driver))
            if picks:
                self.picker = line
            else:
                self.driver = line
            if line["state"] == "started":
                self.slots = line.get("slots", 1)
                self.share = line.get("launch", {}).get("gpus_per_trial", 0.0)
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
    def default_tail(self) -> float | None:
        """The tail of the default configuration (trial 0, the first known-good one), once it is completed."""
        first = self.trials.get(0)
        if first is None or first.source != "known_good" or first.end_reason != "completed":
            return None
        return first.tail(self.metric)

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
            ((order.get(trial.end_reason, 3), -trial.share, _nan_last(sign * found), trial.number), trial)
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


def _gone(driver: dict[str, Any]) -> dict[str, Any]:
    return {"state": "interrupted"} if driver.get("state") == "started" else {}


def most_frequent(reasons: list[str]) -> str:
    """The first of those that are there most often."""
    return max(dict.fromkeys(reasons), key=reasons.count)


def failed_most(runs: Iterable[Run]) -> str:
    """'collapsed (3)': how most of the runs ended that did not end well."""
    reasons = [str(run.end_reason) for run in runs if run.end_reason is not None and not run.healthy]
    return f"{most_frequent(reasons)} ({reasons.count(most_frequent(reasons))})" if reasons else "completed"


def tail(values: list[float]) -> float | None:
    """The median of the last 3 values; None without any, NaN where one of them is NaN."""
    return median(values[-TAIL:])


def median(values: Iterable[float | None]) -> float | None:
    """Of the values that are there; None without any, NaN where one of them is NaN."""
    there = [value for value in values if value is not None]
    if any(math.isnan(value) for value in there):  # a median would depend on where it stands
        return math.nan
    return statistics.median(there) if there else None


def _nan_last(key: float) -> tuple[bool, float]:
    """To sort by: a NaN compares with nothing, so that where it stood would decide."""
    return math.isnan(key), 0.0 if math.isnan(key) else key


def params(point: dict[str, Any]) -> dict[str, Any]:
    """The searched values by dotted key: a parameter's name without the branches it is under."""
    return {re.sub(r"\[[^\]]*\]", "", name): value for name, value in point.items()}
