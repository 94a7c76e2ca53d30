"""What to try next: Optuna's samplers behind ask and tell, with a study that is a projection of the record."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import optuna

from pipeline.record.events import Line
from pipeline.record.state import SweepState
from pipeline.schema.sweep import ObjectiveSpec, SearchSpec
from pipeline.search import experience
from pipeline.search.evolution import Evolution
from pipeline.search.feasibility import Feasibility
from pipeline.search.history import History
from pipeline.search.outcome import Outcome, outcome, trial_outcome
from pipeline.search.prior import EXPERIENCE, NOTHING, OWN, SAMPLER, Known, Mixture
from pipeline.search.trials import Trials
from pipeline.space.distributions import Choice, Distribution, Range, Steps
from pipeline.space.load import SweepFile
from pipeline.space.tree import Parameter, Point, Space

__all__ = ["Outcome", "Sampler", "outcome", "trial_outcome"]

MOST_OF_GP = 250  # trials: its proposals take longer with each
STARTUP = {True: 16, False: 8}  # trials before the model is used: draws with good rates are worth more of them
REDRAWS = 20  # draws for a point that was not proposed before; the last half of them at random

# Optuna's own handler writes to the screen; its warnings go to Python's logging instead.
optuna.logging.disable_default_handler()
optuna.logging.enable_propagation()
optuna.logging.set_verbosity(optuna.logging.WARNING)
logging.getLogger("optuna").addHandler(logging.NullHandler())  # else Python prints them where nobody set logging up


class Sampler:
    """Proposes points of a space.

    The study follows from (points, outcomes) at each ask, and the Optuna sampler is made with it, seeded by the
    sweep's seed and the trial's number. So a proposal depends on the trials that were asked and told so far and on
    nothing else, and a sweep that was resumed proposes what the uninterrupted one would. What is kept from ask to
    ask are the trials as Optuna has them, so that each is made once and not once for each later one.

    tpe: multivariate, grouped (a branch's parameters are modelled together) and with constant liar (Bergstra et
    al. 2011; Falkner et al. 2018). random: each parameter on its own. gp: Gaussian process; it imports torch at
    the first proposal after `startup`, models the parameters that are in every trial, draws those of branches at
    random, and learns nothing from runs that a rung stopped. cmaes: an evolution of the numbers that are in every
    trial (see evolution.py); choices, and what is in their branches, are drawn by tpe. auto: gp where the space is all
    numbers without branches and the sweep short enough for a process of its own, cmaes where it is longer, and tpe for
    any other space and for several objectives, as OptunaHub's AutoSampler chooses among them.
    """

    def __init__(
        self,
        space: Space,
        spec: SearchSpec,
        minimise: bool,
        known: Known = NOTHING,
        several: Sequence[tuple[ObjectiveSpec, bool]] = (),
    ) -> None:
        """`minimise`: of the one objective, or the first of `several`, which come with whether less is better."""
        self._space = space
        self._spec = spec
        self._objectives = [objective for objective, _ in several]
        self._minimise = [less for _, less in several] or [minimise]
        self._first = known.first(space)
        self._learned = known.learned
        self._proposed: set[frozenset[tuple[str, Any]]] = set()
        self._points: list[Point] = []
        self._sources: list[str] = []
        self._told: dict[int, Outcome] = {}
        self._kind = _chosen(spec, space, bool(several))
        self._evolution = Evolution(space, minimise, known.good[0] if known.good else None)
        self._experienced = spec.experience and experience.knows(space)
        self._startup = STARTUP[self._experienced] if spec.startup is None else spec.startup
        self._mixture = None
        if spec.prior is not None and (known.good or known.learned) and not several:
            self._mixture = Mixture(space, spec.prior, known, minimise)
        distributions = {p.name: optuna_distribution(p.distribution) for p in space.parameters()}
        self._trials = Trials(distributions, self._minimise)

    @classmethod
    def of(cls, file: SweepFile) -> Sampler:
        """Of a sweep, before its first trial."""
        known = Known(file.known_good, file.learned)
        return cls(file.space, file.sweep.search, file.metric.minimise, known, file.several)

    def ask(self, number: int) -> tuple[Point, str]:
        """The point for trial `number`, the next one, and who proposed it: known_good, learned (first the best of an
        earlier sweep, then what is near to such), prior (near a known good one), incumbent (near the best of this
        sweep), experience (at random, with rates at which GANs train) or sampler."""
        if number < len(self._first):
            point, source = self._first[number]
        else:
            point, source = self._propose(number)
        self._take(number, point, source)
        return point, source

    def tell(self, number: int, outcome: Outcome) -> None:
        """What trial `number` came to; again where it was run on further seeds since."""
        self._trials.tell(number, outcome)
        self._told[number] = outcome

    def replay(self, lines: Iterable[Line]) -> None:
        """Takes over what a record says was asked and told."""
        state = SweepState.fold(lines)
        for number, trial in state.trials.items():
            self._take(number, dict(trial.point), trial.source)
            if (told := trial_outcome(trial, state.metric, self._objectives)) is not None:
                self.tell(number, told)

    def study(self, storage: Any = None) -> optuna.Study:
        """The study as it stands, in memory or in `storage`; a trial that was not told is RUNNING in it."""
        study = optuna.create_study(directions=self._directions, storage=storage)
        study.add_trials(self._trials.frozen())
        return study

    def _take(self, number: int, point: Point, source: str) -> None:
        self._trials.ask(number, point)
        self._proposed.add(frozenset(point.items()))
        self._points.append(point)
        self._sources.append(source)

    def _propose(self, number: int) -> tuple[Point, str]:
        """A draw that was not proposed before, and whose it is: runs are paired by their seeds, so that a configuration
        that is tried twice gives the same run twice. Where all seem to fail, the one that does least; where the space
        seems exhausted, the last draw."""
        random = np.random.default_rng(np.random.SeedSequence([self._spec.seed, number]))
        source = SAMPLER if self._mixture is None else self._mixture.source(self._sources, self._told, random)
        feasible = self._feasibility()
        refused: list[tuple[float, Point, str]] = []
        for draw in range(REDRAWS):
            if draw == REDRAWS // 2:
                if refused:
                    return min(refused, key=lambda each: each[0])[1:]
                source = SAMPLER
            modelled = False
            if self._mixture is not None and source != SAMPLER:
                point, whose = self._mixture.near(source, self._points, self._told, random), source
            elif self._experienced and len(self._told) < self._startup and draw < REDRAWS // 2:
                point, whose = experience.drawn(self._space, random), EXPERIENCE
            else:
                point, whose = self._sampled(number, draw), SAMPLER
                modelled = self._spec.sampler != "random" and len(self._told) >= self._startup
            if frozenset(point.items()) in self._proposed:
                continue
            if modelled or draw >= REDRAWS // 2:
                break
            failure = feasible.failure(point)
            if random.uniform() >= failure:
                break
            refused.append((failure, point, whose))
        return point, whose

    def _feasibility(self) -> Feasibility:
        """By the trials of this sweep and of those that it learns from. What draws at random learns nothing."""
        if self._spec.sampler == "random" and self._mixture is None:
            return Feasibility(self._space, [], [])
        failed = [self._points[number] for number, told in self._told.items() if told.failure]
        healthy = [self._points[number] for number, told in self._told.items() if told.result is not None]
        for each in self._learned:
            failed, healthy = [*failed, *each.failed], [*healthy, *each.best, *each.healthy]
        return Feasibility(self._space, healthy, failed)

    def _sampled(self, number: int, draw: int) -> Point:
        kind = self._kind if draw < REDRAWS // 2 else "random"
        seed = int(np.random.SeedSequence([self._spec.seed, number, draw]).generate_state(1)[0])
        # what draws at random needs none of it
        history = History([] if kind == "random" else self._trials.frozen(one_failure=kind == "gp"))
        sampler = _optuna_sampler(kind, seed, self._startup)
        trial = optuna.create_study(sampler=sampler, directions=self._directions, storage=history).ask()
        evolved: Point = {}
        if kind == "cmaes" and self._evolution.possible and len(self._told) >= self._startup:
            drawn = {number: told for number, told in self._told.items() if self._sources[number] in OWN}
            evolved = self._evolution.proposal(self._points, drawn, seed)

        def value(parameter: Parameter) -> Any:
            suggested = _suggest(trial, parameter)
            return evolved.get(parameter.name, suggested)

        return self._space.realise(value)[0]

    @property
    def _directions(self) -> list[optuna.study.StudyDirection]:
        minimise, maximise = optuna.study.StudyDirection.MINIMIZE, optuna.study.StudyDirection.MAXIMIZE
        return [minimise if less else maximise for less in self._minimise]


def _chosen(spec: SearchSpec, space: Space, several: bool) -> str:
    """The sampler that `auto` stands for, or the one that is named."""
    if spec.sampler != "auto":
        return spec.sampler
    numbers = all(not each.branch and not isinstance(each.distribution, Choice) for each in space.parameters())
    if several or not numbers:
        return "tpe"
    return "gp" if spec.trials <= MOST_OF_GP else "cmaes"


def _optuna_sampler(kind: str, seed: int, startup: int) -> optuna.samplers.BaseSampler:
    if kind == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    if kind == "gp":
        return optuna.samplers.GPSampler(seed=seed, n_startup_trials=startup, warn_independent_sampling=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # `group` is
        return optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=startup, multivariate=True, group=True, constant_liar=True
        )


def optuna_distribution(distribution: Distribution) -> optuna.distributions.BaseDistribution:
    match distribution:
        case Range(low, high, log, whole=True):
            return optuna.distributions.IntDistribution(int(low), int(high), log=log)
        case Range(low, high, log):
            return optuna.distributions.FloatDistribution(low, high, log=log)
        case Steps(low, high, step) if distribution.whole:
            return optuna.distributions.IntDistribution(int(low), int(high), step=int(step))
        case Steps(low, high, step):
            return optuna.distributions.FloatDistribution(low, high, step=step)
        case Choice(options):
            return optuna.distributions.CategoricalDistribution(options)
    raise TypeError(f"no Optuna distribution for {distribution}")


def _suggest(trial: optuna.Trial, parameter: Parameter) -> Any:
    name, distribution = parameter.name, parameter.distribution
    match distribution:
        case Range(low, high, log, whole=True):
            return trial.suggest_int(name, int(low), int(high), log=log)
        case Range(low, high, log):
            return trial.suggest_float(name, low, high, log=log)
        case Steps(low, high, step) if distribution.whole:
            return trial.suggest_int(name, int(low), int(high), step=int(step))
        case Steps(low, high, step):
            return trial.suggest_float(name, low, high, step=step)
        case Choice(options):
            return trial.suggest_categorical(name, options)
    raise TypeError(f"no Optuna distribution for {distribution}")
