"""The training loop: a generator of measurements that knows neither Ray nor MLflow."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipeline.metrics.content import content_of
from pipeline.metrics.evaluator import Evaluator
from pipeline.record.measurement import Measurement
from pipeline.record.runs import TAIL
from pipeline.schema.metrics import known
from pipeline.schema.trial import TrialSpec
from pipeline.training.making import beside_nearest, evaluation_inputs, fed_images, made, not_averaged, pictures
from pipeline.training.overfitting import overfitting
from pipeline.training.provenance import check_provenance, check_units, check_whole, restore
from pipeline.training.state import TrainingState, initial
from pipeline.training.step import step
from pipeline.training.store import Store

CHECK_EVERY = {"cpu": 1, "cuda": 64}  # steps between looks at whether all is finite: a look waits for the device


@dataclass(frozen=True)
class Task:
    """What a run is: a resolved spec, trained with a seed. objective: the metric by which its best checkpoint is kept.
    test: the evaluations that its tail is made of are made on the test part too, which decides nothing in it.
    recorded: images up to which its measurements are known to whoever asks for it."""

    spec: TrialSpec
    seed: int
    objective: str
    test: bool = False
    recorded: int | None = None  # None: whatever the checkpoint it goes on from is of


def training(task: Task, evaluator: Evaluator, store: Store) -> Iterator[Measurement]:
    """Trains to the budget and yields a measurement at each evaluation.

    The checkpoint, which contains the measurement, is on disk before the measurement is yielded. A store that has
    checkpoints is continued from the newest valid one, whose measurement is yielded again, after those before it that
    are not `recorded`; of damaged ones that were newer the first measurement has notices; one of another run raises
    InputError. After a value that is not finite one last measurement is yielded, without metrics and with the signal
    `finite` at 0: nothing could come of going on.
    """
    spec, seed = task.spec, task.seed
    newest = store.newest()
    if newest is not None:
        check_whole(store.folder / newest[0], newest[1])
        check_provenance(store.folder / newest[0], newest[1], spec, seed)
        check_units(store.folder / newest[0], newest[1], evaluator.dataset)
    features = content_of(spec, evaluator.dataset, evaluator.cache)
    state = initial(spec, evaluator.dataset, seed, restored=newest is not None, content=features)
    history: list[dict[str, Any]] = []  # the measurements so far
    notices = tuple(f"{said}; went back to {newest[0] if newest else 'the beginning'}" for said in store.damaged)
    if state.drawn:
        notices += (f"init_from.partial: {len(state.drawn)} weights are new: {', '.join(state.drawn[:3])} ...",)
    if newest is not None:
        name, content = newest
        restore(state, store.folder / name, content)
        history = content.get("history", [])
        last = content["measurement"] | {"checkpoint": name, "notices": notices}
        for past in history:
            if task.recorded is not None and past["images"] > task.recorded:
                yield Measurement.from_dict(past)
        history = [*history, {**last, "notices": ()}]
        yield Measurement.from_dict(last)
        notices = ()
    inputs = {part: evaluation_inputs(state, evaluator, part, seed) for part in ("validation", "test")}
    total, every = spec.budget.images, spec.evaluation.every
    while state.images < total:
        goal = min((state.images // every + 1) * every, total)
        timings: dict[str, float] = {}
        with _timed(timings, "train"):
            finite = train_until(state, goal)
        if not finite:
            state.seconds += sum(timings.values())
            signals = {"finite": 0.0, **_signals(state)}
            yield Measurement(state.images, {}, signals, state.seconds, timings, notices=notices)
            return
        with _timed(timings, "evaluate"):
            samples = made(state, inputs["validation"])
            metrics, signals, errors = evaluator.evaluate_all(samples, state.game.references)
            tested: dict[str, float] = {}
            if task.test and state.images > total - TAIL * every:
                of_test = made(state, inputs["test"]) if fed_images(state, evaluator) else samples
                tested = evaluator.evaluate_all(of_test, state.game.references, "test").metrics
            overfit = overfitting(state, evaluator.dataset, seed)
            raw = evaluator.raw(not_averaged(state, inputs["validation"]), state.game.references)
            picture = pictures(state, evaluator.dataset, samples, store)
            if state.images >= total:
                beside_nearest(state, evaluator, samples, store)
        signals = _signals(state) | overfit | raw | signals
        state.window_d.reset()
        state.window_g.reset()
        state.seconds += sum(timings.values())
        measurement = Measurement(
            *(state.images, metrics, signals, state.seconds, timings),
            features=evaluator.features,
            samples=picture,
            test=tested,
            errors=errors,
        )
        with _timed(timings, "checkpoint"):
            name = _save(state, store, (*history, measurement.as_dict()), task)
        state.seconds += timings["checkpoint"]
        measurement = dataclasses.replace(measurement, seconds=state.seconds, checkpoint=name)
        history.append(measurement.as_dict())
        yield dataclasses.replace(measurement, notices=notices)
        notices = ()


def train_until(state: TrainingState, goal: int) -> bool:
    """Steps until `goal` images; False as soon as a loss or a gradient was not finite."""
    check = CHECK_EVERY[state.device.type]
    while state.images < goal:
        step(state, state.batches.next(state.randomness), state.randomness)
        look = state.step % check == 0 or state.images >= goal
        if look and not (state.window_d.finite() and state.window_g.finite()):
            return False
    return True


def _signals(state: TrainingState) -> dict[str, float]:
    """What the window since the last evaluation says; not finite where the training was not."""
    return state.window_d.means() | state.window_g.means()


def _save(state: TrainingState, store: Store, history: Sequence[dict[str, Any]], task: Task) -> str:
    """Checkpoint, with all measurements of the run, then retention; the best so far is the objective's, and is part of
    the state."""
    measurement = history[-1]
    value = measurement["metrics"].get(task.objective)
    sign = 1 if known(task.objective, state.spec.evaluation.own).minimise else -1
    better = (
        value is not None and math.isfinite(value) and (not state.best or sign * value < sign * state.best["value"])
    )
    if better:
        state.best = {"value": value, "images": state.images}
    name = store.save(
        state.images,
        {
            "state": state.tensors(),
            "measurement": measurement,
            "history": list(history[:-1]),
            "spec": state.spec.model_dump(mode="json"),
            "seed": task.seed,
            "shape": list(state.facts.shape),
        },
    )
    store.keep(best=store.at(state.best["images"]) if state.best else None)
    return name


@contextmanager
def _timed(timings: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    timings[name] = time.perf_counter() - start
