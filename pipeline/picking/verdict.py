"""What a pick found: the ranking with intervals, the verdict against the default, and the optimism of the search."""

from __future__ import annotations

import math
import statistics
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.errors import GansweepError, NoHealthyTrial
from pipeline.picking.intervals import Estimate, Interval, Scale, estimates, share_interval
from pipeline.picking.outcomes import SeedResults, differences, score_estimates, scores, within_noise
from pipeline.picking.ranking import ranking
from pipeline.picking.regret import regrets
from pipeline.picking.standing import FRESH, confirmed_score, race, scale_of
from pipeline.record.front import front, minimises, objectives, value
from pipeline.record.runs import Run, median
from pipeline.record.state import SweepState
from pipeline.record.trials import failed_most
from pipeline.seeds import derive


@dataclass(frozen=True)
class Difference:
    """How much better one finalist's score is than another's, in the metric's own units, where the other's mean is
    taken as it was found; paired by seed. Above 0: better. noise: it can be none at all."""

    against: int
    seeds: int
    better: float
    interval: Interval | None
    noise: bool


@dataclass(frozen=True)
class Row:
    """One finalist. score: the mean (for distances the geometric one) of its tails on the test part over healthy
    seeds; prediction: of `searched_by`'s kind, the tail on the validation part that one new seed gives (90%);
    searched: its tail in the search, confirmed: the same over the fresh seeds. probability_best: that it is the one to
    take; regret: how much worse than the best choice it is expected to be, a failed run and a bad day counted
    (picking/regret.py), in the metric's units from the pick's score on. ends: end reason by seed. objectives: of
    several ones the medians over healthy fresh seeds; front: no other finalist is better in all of them."""

    trial: int
    why: tuple[str, ...]
    racing: bool
    seeds: int
    healthy: int
    share: float
    share_interval: Interval
    score: float | None
    interval: Interval | None
    searched: float | None
    confirmed: float | None
    prediction: Interval | None
    probability_best: float
    regret: float
    versus_best: Difference | None
    versus_default: Difference | None
    params: dict[str, Any]
    ends: dict[int, str]
    objectives: dict[str, float]
    front: bool


@dataclass(frozen=True)
class Verdict:
    """rows: best first. complete: the race was run to its end. runs: how many, of the full_grid that racing spared.
    optimism: by how much the search's best trial scored better in the search than confirmed, in the metric's units."""

    name: str
    metric: str
    minimise: bool
    floor: float | None
    complete: bool
    seeds: int
    runs: int
    full_grid: int
    default: int | None
    searched_best: int | None
    optimism: float | None
    rows: tuple[Row, ...]

    @property
    def best(self) -> Row:
        return self.rows[0]

    def document(self) -> dict[str, Any]:
        """For --json."""
        return {**asdict(self), "best": self.best.trial}


def standing(state: SweepState) -> Verdict | None:
    """What the pick of a sweep has found so far; None without one, or before there is anything to say."""
    try:
        return verdict(state) if state.pick else None
    except GansweepError:
        return None


def verdict(state: SweepState) -> Verdict:
    """By the record, which must have a pick. Raises NoHealthyTrial where no finalist was healthy on any fresh seed,
    GansweepError where the race was stopped before there was anything to say."""
    assert state.pick is not None
    why = {int(number): tuple(reasons) for number, reasons in state.pick.finalists.items()}
    finalists, seeds = list(why), state.pick.seeds
    raced = race(state, finalists, seeds)
    outcomes = {number: each for number, each in raced.outcomes.items() if each}
    if not any(scores(each) for each in outcomes.values()):
        raise _nothing_to_say(state, complete=not raced.wanted)
    scale = scale_of(state)
    order = ranking(outcomes, raced.racing)
    default = 0 if any("default" in reasons for reasons in why.values()) and 0 in outcomes else None
    to_best = _versus(outcomes, order[0], scale)
    to_default = {} if default is None else _versus(outcomes, default, scale)
    score, searched = score_estimates(outcomes), _searched_estimates(state, outcomes, scale)
    regret = regrets(outcomes, derive(state.seed, "pick", "probability"))
    at = score[order[0]].mean if order[0] in score else 0.0
    confirmed = _objectives(state, outcomes)
    on_front = _front(state, confirmed)
    rows = []
    for number in order:
        healthy, count = len(scores(outcomes[number])), len(outcomes[number])
        mine, again = score.get(number), searched.get(number)
        rows.append(
            Row(
                trial=number,
                why=why[number],
                racing=number in raced.racing,
                seeds=count,
                healthy=healthy,
                share=healthy / count,
                share_interval=share_interval(healthy, count),
                score=scale.back(mine.mean) if mine else None,
                interval=scale.interval(mine.interval()) if mine else None,
                searched=state.trials[number].tail(state.metric),
                confirmed=scale.back(again.mean) if again else None,
                prediction=scale.interval(again.prediction()) if again else None,
                probability_best=regret[number].best,
                regret=abs(scale.back(at + regret[number].expected) - scale.back(at)),
                versus_best=to_best.get(number),
                versus_default=to_default.get(number),
                params=state.trials[number].params,
                ends={run.seed: str(run.end_reason) for run in _counted(state, number, count)},
                objectives=confirmed.get(number, {}),
                front=number in on_front,
            )
        )
    best_searched = state.best_trial
    runs = sum(map(len, outcomes.values()))
    return Verdict(
        name=state.name,
        metric=state.metric,
        minimise=state.known.minimise,
        floor=state.floor,
        complete=not raced.wanted,
        seeds=seeds,
        runs=runs,
        full_grid=seeds * len(finalists),
        default=default,
        searched_best=best_searched.number if best_searched else None,
        optimism=_optimism(rows, best_searched.number if best_searched else None, scale.minimise),
        rows=tuple(rows),
    )


def _counted(state: SweepState, number: int, count: int) -> list[Run]:
    """The runs behind a finalist's outcomes, by replicate."""
    runs = [run for run in state.trials[number].confirmations.values() if run.end_reason is not None]
    return sorted(
        (run for run in runs if run.replicate is not None and run.replicate - FRESH < count),
        key=lambda run: run.replicate or 0,
    )


def _objectives(state: SweepState, outcomes: SeedResults) -> dict[int, dict[str, float]]:
    """Of several objectives the medians over the fresh seeds of each finalist, metrics on the test part, where a seed
    that was not healthy is worse than any; without those of which most were not."""
    wanted, medians = objectives(state), dict[int, dict[str, float]]()
    if not wanted:
        return medians
    for number, seeds in outcomes.items():
        runs, budget = _counted(state, number, len(seeds)), state.trials[number].spec["budget"]["images"]
        medians[number] = {}
        for each in wanted:
            worst = math.inf if minimises(each, state.own) else -math.inf
            middle = median(
                (run.test_tail(each.metric) if each.reach is None else value(run, each, budget))
                if run.end_reason == "completed"
                else worst
                for run in runs
            )
            if middle is not None and math.isfinite(middle):
                medians[number][each.name] = middle
    return medians


def _front(state: SweepState, confirmed: dict[int, dict[str, float]]) -> list[int]:
    wanted = objectives(state)
    points = {at: tuple(each.values()) for at, each in confirmed.items() if wanted and len(each) == len(wanted)}
    return front(points, [minimises(each, state.own) for each in wanted])


def _searched_estimates(state: SweepState, outcomes: SeedResults, scale: Scale) -> dict[int, Estimate]:
    """The fresh seeds' tails on the validation part: what the search scored by, and what `gansweep train` reports."""
    tails = {}
    for number, each in outcomes.items():
        healthy = [run for run in _counted(state, number, len(each)) if confirmed_score(run, state.metric) is not None]
        searched = [tail for run in healthy if (tail := run.tail(state.metric)) is not None]
        if searched:
            tails[number] = [scale.to(tail) for tail in searched]
    return dict(zip(tails, estimates(list(tails.values())), strict=True))


def _versus(outcomes: SeedResults, reference: int, scale: Scale) -> dict[int, Difference]:
    """Each finalist against `reference`. On a log scale a difference is a factor of the reference's mean."""
    means = {number: statistics.fmean(scores(each)) for number, each in outcomes.items() if scores(each)}
    against = {}
    for number, estimate in differences(outcomes, reference).items():
        against[number] = difference(estimate, reference, means[reference], scale)
    return against


def difference(estimate: Estimate, reference: int, at: float, scale: Scale) -> Difference:
    """A paired difference (of the scale) to `reference`, whose mean is `at` on the scale, in the metric's units."""

    def better(change: float) -> float:
        gained = scale.back(at) - scale.back(at + change)
        return gained if scale.minimise else -gained

    interval = estimate.interval()
    ends = sorted(map(better, interval)) if interval else None
    return Difference(
        reference,
        estimate.count,
        better(estimate.mean),
        (ends[0], ends[1]) if ends else None,
        within_noise(estimate),
    )


def _optimism(rows: list[Row], searched_best: int | None, minimise: bool) -> float | None:
    row = next((row for row in rows if row.trial == searched_best), None)
    if row is None or row.confirmed is None or row.searched is None:
        return None
    return row.confirmed - row.searched if minimise else row.searched - row.confirmed


def _nothing_to_say(state: SweepState, complete: bool) -> GansweepError:
    ended = [run for run in state.confirmations if run.end_reason]
    if not complete or not ended:
        return GansweepError(f"{state.name}: nothing is confirmed yet; go on with: {state.command('pick')}")
    return NoHealthyTrial(
        f"{state.name}: no finalist stayed healthy on any of {len(ended)} fresh seeds; most ended as "
        f"{failed_most(ended)}: search on with narrower ranges"
    )
