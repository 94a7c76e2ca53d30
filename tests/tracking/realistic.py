"""A sweep's folder as a driver leaves it: a record with every kind of end, sample pictures and checkpoints."""

import math
import random
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.record.log import Record
from pipeline.space.load import from_tree

EVERY, BUDGET = 4000, 40_000
SEED = 1234567
SPACE: dict[str, Any] = {
    "objective": "fid",
    "data": {"name": "fashion_mnist"},
    "budget": {"images": BUDGET},
    "evaluation": {"every": EVERY},
    "game": {"objective": {"choice": ["non_saturating", "hinge", "wasserstein"]}},
    "generator": {"network": "dcgan"},
    "discriminator": {"network": "dcgan", "norm": "spectral"},
    "regularisers": {"choice": {"none": {}, "r1": {"r1": {"weight": {"log": [0.1, 100]}}}}},
    "optimiser": {"lr_g": {"log": [1e-5, 1e-2]}, "lr_d": {"log": [1e-5, 1e-2]}},
}


class Sweep:
    """Writes the record of a sweep `name` under `home`, a trial at a time."""

    def __init__(self, home: Path, name: str = "clothes") -> None:
        self.folder = home / name
        self.folder.mkdir(parents=True)
        self.record = Record(self.folder / "events.jsonl")
        self._chance = random.Random(name)
        file = from_tree(SPACE, "clothes.yaml")
        spec, versions = file.sweep.model_dump(mode="json"), {"gansweep": "0.1.0"}
        self.record.append(
            "sweep", name=name, space=file.tree, spec=spec, seed=7, source=file.source, versions=versions
        )
        self.driver("started")
        data = {"name": "fashion_mnist", "fingerprint": "ab12cd34", "resolution": 28}
        self.record.append(
            "prepared", data=data, floor={"fid": 2.5}, floor_spread={"fid": 0.12}, features="classifier-9f3a"
        )

    def driver(self, state: str) -> None:
        launch = {"trials": 12, "tracking_uri": None}
        self.record.append("driver", session="s1", state=state, launch=launch)

    def trial(self, number: int, source: str = "sampler") -> None:
        chosen = "r1" if number % 3 else "none"
        point: dict[str, Any] = {
            "optimiser.lr_g": 10 ** self._chance.uniform(-5, -2),
            "optimiser.lr_d": 10 ** self._chance.uniform(-5, -2),
            "game.objective": self._chance.choice(["non_saturating", "hinge", "wasserstein"]),
            "regularisers": chosen,
        }
        if chosen == "r1":
            point["regularisers[r1].r1.weight"] = 10 ** self._chance.uniform(-1, 2)
        spec = {"data": SPACE["data"], "budget": SPACE["budget"], "optimiser": {"lr_g": point["optimiser.lr_g"]}}
        self.record.append("trial", trial=number, point=point, spec=spec, source=source)

    def attempt(self, trial: int, seed: int = SEED) -> None:
        self.record.append("attempt", trial=trial, seed=seed, attempt=0)

    def measurement(self, trial: int, images: int, seed: int = SEED, **metrics: float) -> None:
        place = self.folder / "trials" / str(trial) / f"seed-{seed}"
        samples, checkpoint = f"samples/images-{images:012d}.png", f"checkpoints/images-{images:012d}-ab.pt"
        for part in (samples, checkpoint):
            (place / part).parent.mkdir(parents=True, exist_ok=True)
        _picture(place / samples, trial, images)
        (place / checkpoint).write_bytes(f"weights of trial {trial} at {images}".encode())
        progress = images / BUDGET
        fid = 4 + trial % 5 + 60 * math.exp(-6 * progress) + self._chance.gauss(0, 0.2)
        found = {"fid": fid, "precision": 0.5 + progress / 4, "recall": 0.4 + progress / 5, "coverage": 0.8 * progress}
        signals = {"finite": 1.0, "discriminator_win_rate": 0.7, "loss_g": 1.1, "loss_d": 0.9, "diversity_ratio": 0.8}
        self.record.append(
            "measurement",
            trial=trial,
            seed=seed,
            attempt=0,
            images=images,
            metrics=found | metrics,
            signals=signals,
            seconds=images / 500,
            timings={"train": 7.0, "evaluate": 0.8, "checkpoint": 0.2},
            features="classifier-9f3a",
            samples=samples,
            checkpoint=checkpoint,
        )

    def ended(self, trial: int, reason: str, evidence: dict[str, Any] | None = None, seed: int = SEED) -> None:
        self.record.append("run_ended", trial=trial, seed=seed, attempt=0, reason=reason, evidence=evidence or {})

    def whole(self, trial: int, reason: str = "completed", images: int = BUDGET, seed: int = SEED) -> None:
        """A run from its attempt to its end."""
        self.attempt(trial, seed)
        for at in range(EVERY, images + 1, EVERY):
            self.measurement(trial, at, seed)
        self.ended(trial, reason, evidence(reason, images), seed)


def evidence(reason: str, images: int) -> dict[str, Any]:
    if reason == "collapsed":
        values = [{"images": images - k * EVERY, "value": round(0.05 - k / 100, 2)} for k in (2, 1, 0)]
        return {"rule": "low", "signal": "coverage", "comparison": "<", "threshold": 0.15, "values": values}
    if reason == "crashed":
        return {"error": "ValueError: bad shape", "traceback": "traceback.txt"}
    return {}


def finished(home: Path, name: str = "clothes", trials: int = 8) -> Sweep:
    """A finished sweep: completed, rung, collapsed, crashed, one trial with two further seeds."""
    sweep = Sweep(home, name)
    for number in range(trials):
        sweep.trial(number, "known_good" if number == 0 else "sampler")
        reason = {4: "collapsed", 7: "crashed"}.get(number, "rung" if number % 3 == 2 else "completed")
        sweep.whole(number, reason, BUDGET if reason == "completed" else 4 * EVERY)
    for seed in (11, 12):
        sweep.whole(0, seed=seed)
    sweep.driver("finished")
    return sweep


def _picture(path: Path, trial: int, images: int) -> None:
    """A grid of 8 x 8 grey squares, which get clearer with the budget."""
    image, chance = Image.new("L", (8 * 28, 8 * 28)), random.Random(trial)
    for row in range(8):
        for column in range(8):
            shade = int(255 * chance.random() * images / BUDGET)
            image.paste(shade, (column * 28 + 2, row * 28 + 2, column * 28 + 26, row * 28 + 26))
    image.save(path)


def small(home: Path, trials: int = 3) -> Sweep:
    """An unfinished sweep of short runs, the last one in the middle of its own."""
    sweep = Sweep(home)
    for number in range(trials):
        sweep.trial(number)
        if number < trials - 1:
            sweep.whole(number, images=3 * EVERY)
    sweep.attempt(trials - 1)
    sweep.measurement(trials - 1, EVERY)
    return sweep
