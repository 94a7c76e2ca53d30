"""One configuration trained in this process: the verb train."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from pipeline.conformance.preflight import preflight
from pipeline.data.said import what_was_read
from pipeline.deadline import deadline, ending, timely
from pipeline.drivers.ends import end_by_itself, warned
from pipeline.errors import GansweepError, InputError, Unreachable, within
from pipeline.faults import DISK_FULL, classify, needed
from pipeline.health.rules import Context
from pipeline.metrics.evaluator import Asked, prepare
from pipeline.plugin import is_own
from pipeline.record.log import dumps, loads
from pipeline.record.measurement import Measurement
from pipeline.record.runs import Run
from pipeline.schema.features import measured_in
from pipeline.schema.metrics import known, on
from pipeline.schema.trial import TrialSpec, resolve
from pipeline.space.check import untold
from pipeline.space.load import load_trial
from pipeline.space.yaml import dump, read_mapping
from pipeline.training.attempt import attempt, prepared_data
from pipeline.training.loop import Task
from pipeline.training.store import Store

# Of the metrics that are there, what a line has beside the objective.
SHOWN = ("fid", "sliced_wasserstein", "precision", "recall", "coverage", "modes", "high_quality", "reverse_kl")

MEASURED = "measurements.json"


def train(
    path: str,
    *,
    seed: int,
    budget: int | None,
    overrides: list[str],
    root: Path | None,
    out: Path | None,
    home: Path | None,
    as_json: bool,
) -> None:
    """Trains to the budget under the file's health rules, a line an evaluation; goes on where it stopped when the
    same folder has checkpoints of the same spec. Raises GansweepError where the run does not end well."""
    from pipeline.record.home import home_of, share

    changes = [*overrides, *([f"budget.images={budget}"] if budget else [])]
    spec, sweep, notices = load_trial(path, changes)
    spec = resolve(spec, torch.cuda.is_available())
    for notice in notices:
        say(f"note: {notice}")
    folder = out or Path("runs") / f"{Path(path).stem}-seed-{seed}"
    _writable(folder)
    share(home_of(home))
    cache, metric = home_of(home) / "cache", sweep.objective

    def late(what: str) -> None:
        say(f"gansweep: {path}: the training {what}; called again it goes on where it stopped")

    with within(path), ending(deadline(), late):
        data, features = prepared_data(spec, cache, root)
    for line in (*what_was_read(data), f"features: {features}"):
        say(line)
    claim = _claim(folder, spec, seed)
    with ending(deadline(), late):
        prepared = _prepared(path, spec, metric, cache, root)
    claim()
    less = known(metric, spec.evaluation.own).minimise
    context = Context(metric, less, prepared["floor"].get(metric), prepared["floor_spread"].get(metric))
    done, earlier = Run(0, seed, own=spec.evaluation.own), _kept(folder)
    try:
        for measurement in timely(attempt(Task(spec, seed, metric), Store(folder), cache, root), late):
            if not done.measurements:  # of an earlier call
                done.measurements = [each for each in earlier if each.images < measurement.images]
            done.measurements.append(measurement)
            _keep(folder, done.measurements)
            for notice in measurement.notices:
                say(f"note: {notice}")
            say(f"{measurement.images:>10,} images  {_line(measurement, metric, spec.evaluation.own)}")
            for text in warned(sweep.health, done, spec.budget.images, context):
                say(f"note: {text}")
            end = end_by_itself(sweep.health, done, spec.budget.images, context)
            if end is not None:
                done.end_reason, done.evidence = end
                break
    except (GansweepError, KeyboardInterrupt):
        raise
    except (Exception, SystemExit) as error:  # a game's sys.exit() is no end of ours
        done.end_reason, done.evidence = classify(error, folder)
        if done.end_reason == DISK_FULL:
            raise GansweepError(f"{needed(folder, 1)}; make room and call it again: it goes on") from None
    result = {
        "folder": str(folder),
        "seed": seed,
        "data": data,
        "end_reason": done.end_reason,
        "evidence": done.evidence,
        "images": done.images,
        "tail": {metric: done.tail(metric)},
        "final": {metric: done.final(metric)},
        "features": prepared["features"],
        "floor": prepared["floor"],
        "seconds": done.seconds,
    }
    (folder / "result.json").write_text(dumps(result, indent=1))
    if as_json:
        print(dumps(result))
    if done.end_reason != "completed":
        raise GansweepError(f"ended as {done.end_reason}: {dumps(done.evidence)[:400]}")
    floors = {"floor": prepared["floor"].get(metric), "noise floor": prepared["noise_floor"].get(metric)}
    known_floor = "".join(f" ({name} {value:.4g})" for name, value in floors.items() if value is not None)
    where = measured_in(features)
    say(f"{metric} tail {done.tail(metric):.4g}{known_floor}{where}; samples and checkpoints in {folder}")


def _line(measurement: Measurement, objective: str, own: Mapping[str, bool]) -> str:
    """The objective with its standard error, and what says most beside it; all are in measurements.json."""
    shown = [name for name in measurement.metrics if name.partition(".")[0] in (*SHOWN, *own) and name != objective]
    error = measurement.errors.get(objective)
    said = {name: f"{measurement.metrics[name]:.4g}" for name in (objective, *shown) if name in measurement.metrics}
    if error is not None and objective in said:
        said[objective] += f" ± {error:.2g}"
    return "  ".join(f"{name} {value}" for name, value in said.items())


def _prepared(path: str, spec: TrialSpec, metric: str, cache: Path, root: Path | None) -> dict[str, Any]:
    """Data, features and floor; InputError where the file does not fit them."""
    with within(path):
        prepared = prepare(spec.data, Asked.of(spec.evaluation), cache, root)
        on(spec.data.name, prepared["data"]).check(metric, path, spec.evaluation.own)
        preflight([spec] if untold(spec) or is_own(spec.data.name) else [], cache, root)
    return prepared


def _claim(folder: Path, spec: TrialSpec, seed: int) -> Callable[[], None]:
    """What makes the run's folder with its spec; InputError where it holds a run of another spec or seed."""
    tree = {"spec": spec.model_dump(mode="json"), "seed": seed}
    path = folder / "run.yaml"
    if path.exists() and read_mapping(path) != tree:
        raise InputError(f"{folder}: holds a run of another configuration or seed; choose another folder with --out")

    def claim() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(dump(tree), encoding="utf-8")

    return claim


def _kept(folder: Path) -> list[Measurement]:
    """What earlier calls measured: the tail, and the health rules, are of all of them."""
    path = folder / MEASURED
    return [Measurement.from_dict(each) for each in loads(path.read_text())] if path.exists() else []


def _keep(folder: Path, measurements: list[Measurement]) -> None:
    part = (folder / MEASURED).with_suffix(".part")
    part.write_text(dumps([each.as_dict() for each in measurements]))
    part.replace(folder / MEASURED)


def _writable(folder: Path) -> None:
    """Before data and features are prepared, which may take long; where nothing is made, nothing is left."""
    at = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryDirectory(dir=at):
            pass
    except OSError as error:
        raise Unreachable(f"{folder}: cannot be written ({error.strerror}); name another folder with -o") from None


def say(line: str) -> None:
    print(line, file=sys.stderr)
