"""Records made up from a rule: a sweep of the digits' space with as many trials and evaluations as are wanted."""

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.picking.standing import FRESH
from pipeline.record.events import Line
from pipeline.record.log import dumps
from pipeline.record.state import SweepState
from pipeline.seeds import run_seed
from pipeline.space.distributions import Choice, Range
from pipeline.space.load import load
from pipeline.space.tree import Parameter

BUDGET, SEED = 120_000, 0
Ends = Callable[[int, dict[str, Any], random.Random], str]


def hot(number: int, point: dict[str, Any], chance: random.Random) -> str:
    """The rule that most records here are made by: a hot discriminator collapses, one trial in five stops at a rung."""
    if point["optimiser.lr_d"] > 3e-4:
        return "collapsed" if chance.random() < 0.85 else "completed"
    return "rung" if number % 5 == 4 else "completed"


class Made:
    """The lines of a sweep, a call at a time. folder: where write() puts them, and where pictures are."""

    def __init__(self, folder: Path, trials: int = 24, evaluations: int = 10, ends: Ends = hot) -> None:
        self.folder, self.lines = folder, list[Line]()
        self.file, self._chance = load("digits", trials=trials), random.Random(1)
        self._every = BUDGET // evaluations
        spec, self.trials = self.file.sweep.model_dump(mode="json"), trials
        self.add(
            "sweep",
            name=folder.name,
            space=self.file.tree,
            spec=spec,
            seed=SEED,
            source="digits",
            versions={"gansweep": "1"},
        )
        self.driver("started")
        data = {"name": "digits", "fingerprint": "ab12"}
        self.add("prepared", data=data, floor={"fid": 15.0}, floor_spread={"fid": 0.5}, features="cnn-1")
        self._ends = ends

    def add(self, event: str, **fields: Any) -> None:
        self.lines.append({"v": 1, "n": len(self.lines), "time": 1.7e9 + len(self.lines), "event": event, **fields})

    def driver(self, state: str, doing: str = "search") -> None:
        self.add("driver", session="s", state=state, doing=doing, launch={"trials": self.trials}, slots=2)

    def searched(self) -> "Made":
        """All trials, each as its rule has it."""
        for number in range(self.trials):
            point, tree = self.file.space.realise(self._draw)
            if number == 0:
                point, tree = self.file.space.fixed(self.file.known_good[0])
            source = "sampler" if number else "known_good"
            self.add("trial", trial=number, point=point, spec=tree, source=source)
            reason = "completed" if number == 0 else self._ends(number, point, self._chance)
            images = BUDGET if reason == "completed" else BUDGET // 2
            self.run(number, run_seed(SEED, 0), reason, images, self._goal(point))
        return self

    def picked(self, finalists: dict[int, list[str]], seeds: int = 3) -> "Made":
        """A pick of these, in which each finalist's seeds are all healthy."""
        self.driver("started", "pick")
        self.add("pick", top=2, seeds=seeds, finalists={str(number): why for number, why in finalists.items()})
        for place, number in enumerate(finalists):
            for replicate in range(FRESH, FRESH + seeds):
                goal = 20.0 + 5 * place
                self.run(number, run_seed(SEED, replicate), "completed", BUDGET, goal, replicate=replicate)
        self.driver("finished", "pick")
        return self

    def run(self, trial: int, seed: int, reason: str, images: int, goal: float, replicate: int | None = None) -> None:
        key = {"trial": trial, "seed": seed, "attempt": 0}
        self.add("attempt", **key, replicate=replicate)
        for at in range(self._every, images + 1, self._every):
            fid = goal * (1 + 8 * math.exp(-5 * at / BUDGET)) + self._chance.gauss(0, 0.3)
            tested = {"fid": fid + 1} if replicate is not None and at > images - 3 * self._every else {}
            self.add(
                "measurement",
                **key,
                images=at,
                metrics={"fid": fid, "coverage": 0.8},
                signals={"loss_d": 1.0},
                seconds=at / 1000,
                timings={"train": 5.0, "evaluate": 0.5},
                errors={"fid": 1.5},
                features="cnn-1",
                samples=f"samples/{at}.png",
                test=tested,
            )
        evidence = {"rule": "low", "signal": "coverage", "comparison": "<", "threshold": 0.1, "values": []}
        self.add("run_ended", **key, reason=reason, evidence=evidence if reason == "collapsed" else {})

    def pictures(self, trials: list[int]) -> None:
        """A small picture at each evaluation of the runs of some trials."""
        for line in [each for each in self.lines if each["event"] == "measurement" and each["trial"] in trials]:
            path = self.folder / "trials" / str(line["trial"]) / f"seed-{line['seed']}" / line["samples"]
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.effect_noise((64, 64), 5 + line["images"] / 2000).save(path)

    def write(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "events.jsonl").write_text("".join(dumps(line) + "\n" for line in self.lines))
        return self.folder

    def state(self) -> SweepState:
        return SweepState.fold(self.lines, self.folder)

    def _draw(self, parameter: Parameter) -> Any:
        match parameter.distribution:
            case Choice(options):
                return self._chance.choice(options)
            case Range(low, high, log=True):
                return math.exp(self._chance.uniform(math.log(low), math.log(high)))
            case Range(low, high):
                return self._chance.uniform(low, high)
        raise AssertionError(parameter)

    @staticmethod
    def _goal(point: dict[str, Any]) -> float:
        """Best at an lr_g of 1e-3."""
        return 20.0 + 20 * abs(math.log10(point["optimiser.lr_g"]) + 3)
