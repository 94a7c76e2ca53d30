"""A space with every kind of distribution, and a sweep over it that leaves a real record."""

import math
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.record.log import Record, read
from pipeline.record.runs import END_REASONS
from pipeline.record.state import SweepState
from pipeline.schema.sweep import SearchSpec
from pipeline.search.prior import Known
from pipeline.search.sampler import Sampler, outcome
from pipeline.space.tree import Space

TREE = {
    "width": {"choice": [16, 32, 64]},
    "norm": {"choice": ["none", None, True, 0.5]},
    "lr": {"log": [1e-5, 1e-2]},
    "optimiser": {"lr_g": {"log": [1e-5, 1e-2]}},
    "beta": {"uniform": [0, 0.9]},
    "steps": {"int": [1, 5]},
    "size": {"log_int": [8, 512]},
    "drop": {"steps": [0.1, 0.7, 0.1]},
    "depth": {"steps": [2, 8, 2]},
    "regularisers": {
        "choice": {
            "none": {},
            "r1": {"r1": {"weight": {"log": [0.1, 100]}, "lazy": {"choice": {"no": 1, "yes": {"int": [2, 16]}}}}},
            "gp": {"gp": {"weight": {"log": [0.1, 100]}}},
        }
    },
    "fixed": {"deep": 3},
}
KNOWN_GOOD = {
    "width": 32,
    "norm": None,
    "lr": 2e-4,
    "optimiser.lr_g": 2e-4,
    "beta": 0.5,
    "steps": 1,
    "size": 64,
    "drop": 0.3,
    "depth": 4,
    "regularisers": "r1",
    "regularisers.r1.weight": 10,
    "regularisers.r1.lazy": "yes",
    "regularisers[r1].r1.lazy[yes]": 16,
}


@pytest.fixture(scope="module")
def space() -> Space:
    return Space.parse(TREE, "test.yaml")


@pytest.fixture(scope="module", params=["tpe", "random", "cmaes", pytest.param("gp", marks=pytest.mark.slow)])
def kind(request: pytest.FixtureRequest) -> str:
    """Each sampler that the spec knows; a new one is held to everything by one more name here."""
    return str(request.param)


@pytest.fixture(scope="module")
def new_sampler(space: Space, kind: str) -> Callable[..., Sampler]:
    def make(seed: int = 0, minimise: bool = True, startup: int = 4) -> Sampler:
        spec = SearchSpec(sampler=kind, seed=seed, startup=startup)
        return Sampler(space, spec, minimise, Known([space.fixed(KNOWN_GOOD)[0]]))

    return make


class Play:
    """A sweep in which two runs are under way at a time, each ending with the reason that is its turn."""

    def __init__(self, folder: Path, sampler: Sampler) -> None:
        self.path = folder / "events.jsonl"
        self.sampler = sampler
        self.record = Record(self.path)
        self.record.append(
            "sweep", name="play", source="test.yaml", space={}, spec={"objective": "fid"}, seed=0, versions={}
        )
        self.points: list[dict] = []

    def ask(self) -> None:
        number = len(self.points)
        point, source = self.sampler.ask(number)
        self.points.append(point)
        self.record.append("trial", trial=number, point=point, spec={}, source=source)
        self.record.append("attempt", trial=number, seed=7, attempt=1)

    def end(self, number: int, reason: str) -> None:
        key = {"trial": number, "seed": 7, "attempt": 1}
        for at in range(1, 5):
            value = score(self.points[number]) + 10 / at
            fid = math.nan if reason == "non_finite" and at == 4 else value
            self.record.append("measurement", **key, images=at * 100, metrics={"fid": fid}, signals={}, seconds=at)
        self.record.append("run_ended", **key, reason=reason, evidence={})
        run = SweepState.fold(read(self.path)[0]).trials[number].first
        assert run is not None
        self.sampler.tell(number, outcome(run, "fid"))

    def go(self, trials: int) -> list[dict]:
        """Asks for `trials` points, and leaves the last run without an end."""
        for number in range(trials):
            self.ask()
            if number:
                self.end(number - 1, END_REASONS[(number - 1) % len(END_REASONS)])
        return self.points


def score(point: dict) -> float:
    """A smooth function of lr and beta, and a constant for each combination of the rest."""
    rest = {key: value for key, value in point.items() if key not in ("lr", "beta")}
    return (math.log10(point["lr"]) + 3.5) ** 2 + point["beta"] + zlib.crc32(repr(rest).encode()) % 7


@pytest.fixture
def play(tmp_path: Path) -> Callable[[str, Sampler], Play]:
    """A sweep in a folder of this name."""

    def make(name: str, sampler: Sampler) -> Play:
        (tmp_path / name).mkdir()
        return Play(tmp_path / name, sampler)

    return make


@pytest.fixture(scope="module")
def played(new_sampler: Callable[..., Sampler], tmp_path_factory: pytest.TempPathFactory) -> Play:
    """A sweep of 16 trials, to be read alone."""
    sweep = Play(tmp_path_factory.mktemp("played"), new_sampler())
    sweep.go(16)
    return sweep
