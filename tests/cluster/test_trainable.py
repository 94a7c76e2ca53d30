"""A job of several runs in one worker: in turns, each as it is alone, and dropped where the driver ended it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from pipeline.cluster.premises import Premises
from pipeline.cluster.trainable import REPORT, Trainable
from pipeline.drivers.job import Attempt, Job
from pipeline.record.measurement import Measurement
from pipeline.space.load import from_tree
from tests.drivers.fake_tune import FakeTune
from tests.games.test_own import example

BUDGET, EVERY = 192, 64
TREE = {
    "data": {"name": "ring8"},
    "objective": "sliced_wasserstein",
    "budget": {"images": BUDGET},
    "evaluation": {"every": EVERY, "samples": 100},
    "search": {"trials": 3, "startup": 2, "seed": 5},
    "generator": {"network": "mlp"},
    "discriminator": {"network": "mlp"},
    "batch_size": 32,
    "optimiser": {"lr_g": {"log": [1e-5, 1e-3]}},
    "known_good": [{"optimiser.lr_g": 2e-4}],
}


def started(tune: FakeTune, count: int) -> tuple[Attempt, ...]:
    runs = tuple(replace(run, session="") for _ in range(count) for run in tune.next_runs())
    for run in runs:
        tune.driver.started(run)
    return runs


def worker(folder: Path, *runs: Attempt) -> Trainable:
    return Trainable({"job": Job(runs).as_json(), "premises": Premises(folder / "cache", None, {}).sent()})


def steps(at: Trainable, count: int) -> list[tuple[int, Measurement]]:
    reports = [json.loads(at.step()[REPORT]) for _ in range(count)]
    return [(report["run"], Measurement.from_dict(report["measurement"])) for report in reports]


def checkpoints(run: Attempt) -> list[str]:
    return sorted(path.name[:19] for path in Path(run.folder).glob("checkpoints/*.pt"))


def test_each_run_is_what_it_is_alone(tmp_path: Path) -> None:
    (alone, together) = (tmp_path / "alone", tmp_path / "together")
    found = {}
    for folder in (alone, together):
        folder.mkdir()
        runs = started(FakeTune(folder, from_tree(TREE, "ring.yaml"), concurrency=2, trials=2), 2)
        if folder is alone:
            found[folder] = [
                (at, m.images, m.metrics) for at, run in enumerate(runs) for _, m in steps(worker(folder, run), 3)
            ]
        else:
            in_turns = [(at, m.images, m.metrics) for at, m in steps(worker(folder, *runs), 6)]
            assert [(at, images) for at, images, _ in in_turns] == [(at, n * EVERY) for n in (1, 2, 3) for at in (0, 1)]
            found[folder] = sorted(in_turns, key=lambda each: each[:2])
    assert found[alone] == found[together]


def test_what_the_driver_ended_has_no_further_turn_and_keeps_its_best_checkpoint(tmp_path: Path) -> None:
    tune = FakeTune(tmp_path, from_tree(TREE, "ring.yaml"), concurrency=2, trials=2)
    first, second = started(tune, 2)
    at = worker(tmp_path, first, second)
    for run, measurement in steps(at, 4):
        tune.driver.measured((first, second)[run], measurement)
    tune.driver.ended(first, "rung", {"milestone": 128, "value": 1.0, "cutoff": 0.5})
    assert not tune.driver.over(Job((first, second)))
    assert [run for run, _ in steps(at, 1)] == [1]
    tune.driver.ended(second, "completed", {"images": BUDGET})
    assert tune.driver.over(Job((first, second)))
    assert len(checkpoints(first)) == 2
    at.cleanup()
    best = tune.driver.state.trials[0].first.best("sliced_wasserstein")  # type: ignore[union-attr]
    assert best is not None
    assert checkpoints(first) == [f"images-{best[0]:012d}"]
    assert len(checkpoints(second)) >= 2


def test_a_run_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    tune = FakeTune(tmp_path, from_tree(TREE, "ring.yaml"), concurrency=2, trials=2)
    first, second = started(tune, 2)
    broken = replace(first, spec={**first.spec, "init_from": {"path": str(tmp_path / "nowhere.pt")}})
    at = worker(tmp_path, broken, second)
    failed = json.loads(at.step()[REPORT])
    assert (failed["run"], failed["reason"]) == (0, "invalid")
    assert [(run, m.images) for run, m in steps(at, 2)] == [(1, EVERY), (1, 2 * EVERY)]


def test_what_a_run_printed_is_in_its_folder_and_named_where_it_crashed(tmp_path: Path) -> None:
    said = "import os\n        os.write(2, b'the game speaks\\n')\n        raise RuntimeError('no more')\n        "
    (tmp_path / "my_gan.py").write_text(
        example().replace("return generator(inputs)", said + "return generator(inputs)")
    )
    game = {"name": f"{tmp_path / 'my_gan.py'}:MyGame", "options": {"margin": 0.1}}
    (run,) = started(FakeTune(tmp_path, from_tree(TREE | {"game": game}, "ring.yaml"), concurrency=1, trials=1), 1)
    report = json.loads(worker(tmp_path, run).step()[REPORT])
    assert (report["reason"], report["evidence"]["output"]) == ("crashed", "output-1.txt")
    assert (Path(run.folder) / "output-1.txt").read_text() == "the game speaks\n"
