"""One configuration trained in this process, and samples from a checkpoint: the verbs train and generate."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from pipeline import games
from pipeline.errors import GansweepError, InputError
from pipeline.health.rules import Context, verdict
from pipeline.metrics.catalogue import METRICS, check_objective
from pipeline.metrics.evaluator import prepare
from pipeline.metrics.samples import save_grid
from pipeline.record import dumps
from pipeline.runs import classify
from pipeline.seeds import derive
from pipeline.spec.base import parse
from pipeline.spec.load import load_trial
from pipeline.spec.trial import TrialSpec, resolve
from pipeline.state import Run
from pipeline.training.loop import sample
from pipeline.training.run import run
from pipeline.training.store import DamagedCheckpoint, Store, load


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
    from pipeline.sweep import home_of

    changes = [*overrides, *([f"budget.images={budget}"] if budget else [])]
    spec, sweep, notices = load_trial(path, changes)
    spec = resolve(spec, torch.cuda.is_available())
    for notice in notices:
        say(f"note: {notice}")
    folder = out or Path("runs") / f"{Path(path).stem}-seed-{seed}"
    claim = _claim(folder, spec, seed)
    cache, metric = home_of(home) / "cache", sweep.objective
    found = prepare(spec.data, spec.evaluation.samples, cache, root)
    check_objective(metric, spec.data.name, found["data"]["kind"], found["data"]["mixture"], path)
    claim()
    context = Context(metric, METRICS[metric].minimise, found["floor"].get(metric), found["floor_spread"].get(metric))
    done = Run(0, seed)
    try:
        for measurement in run(spec, seed, metric, folder, cache, root):
            done.measurements.append(measurement)
            say(
                f"{measurement.images:>10,} images  "
                + "  ".join(f"{k} {v:.4g}" for k, v in measurement.metrics.items())
            )
            end = verdict(sweep.health, done.measurements, spec.budget.images, context)
            if end is not None:
                done.end_reason, done.evidence = end.reason, end.evidence
                break
    except (GansweepError, KeyboardInterrupt):
        raise
    except Exception as error:
        done.end_reason, done.evidence = classify(error, folder)
    done.end_reason = done.end_reason or "completed"
    result = {
        "folder": str(folder),
        "seed": seed,
        "end_reason": done.end_reason,
        "evidence": done.evidence,
        "images": done.images,
        "tail": {metric: done.tail(metric)},
        "final": {metric: done.final(metric)},
        "features": found["features"],
        "floor": found["floor"],
        "seconds": done.seconds,
    }
    (folder / "result.json").write_text(dumps(result, indent=1))
    if as_json:
        print(dumps(result))
    if done.end_reason != "completed":
        raise GansweepError(f"ended as {done.end_reason}: {dumps(done.evidence)[:400]}")
    say(f"{metric} tail {done.tail(metric):.4g}; samples and checkpoints in {folder}")


def _claim(folder: Path, spec: TrialSpec, seed: int) -> Callable[[], None]:
    """What makes the run's folder with its spec; InputError where it holds a run of another spec or seed."""
    tree = {"spec": spec.model_dump(mode="json"), "seed": seed}
    path = folder / "run.yaml"
    if path.exists() and yaml.safe_load(path.read_text()) != tree:
        raise InputError(f"{folder}: holds a run of another configuration or seed; choose another folder with --out")

    def claim() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(tree, sort_keys=False))

    return claim


def generate(path: Path, count: int, seed: int, out: Path) -> str:
    """Samples from the averaged generator of a checkpoint, or of the best one of a run's folder; says what it wrote."""
    if out.suffix not in (".png", ".npz"):
        raise InputError(f"--out: found {out.name}; valid: a name that ends in .png (a picture) or .npz (arrays)")
    file = _checkpoint(path)
    try:
        content = load(file)
    except DamagedCheckpoint as error:
        raise InputError(str(error)) from None
    spec, shape = parse(TrialSpec, content["spec"], str(file)), tuple(content["shape"])
    game = games.build(spec, shape, seed=0, classes=content["state"]["classes"])
    game.generator.load_state_dict(content["state"]["ema"])
    inputs = game.inputs(count, torch.Generator().manual_seed(derive(seed, "generate")))
    samples = sample(game, game.generator, inputs, spec)
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".npz":
        np.savez_compressed(out, samples=samples.numpy())
    else:
        save_grid(samples, out, columns=max(1, round(count**0.5)))
    return f"{count} samples of {file.name} ({content['state']['images']:,} images) in {out}"


def _checkpoint(path: Path) -> Path:
    if path.is_file():
        return path
    if not (path / "checkpoints").is_dir():
        raise InputError(f"{path}: no checkpoint and no folder of a run; valid: SWEEP/trials/NUMBER/seed-SEED")
    store = Store(path)
    newest = store.newest()
    if newest is None:
        raise InputError(f"{path}: has no checkpoint that can be read" + "".join(f"; {d}" for d in store.damaged))
    best: dict[str, Any] = newest[1]["state"]["best"]
    return path / ((store.at(best["images"]) if best else None) or newest[0])


def say(line: str) -> None:
    print(line, file=sys.stderr)
