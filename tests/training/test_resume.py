"""A training that is cut off goes on to the bit, whatever cut it off."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.training.loop import Task, training
from pipeline.training.store import Store
from tests.training.toy import EVALUATIONS, EVERY, OBJECTIVE, evaluator, facts, last_state, run, same, spec


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, object]], dict[str, object]]:
    folder = tmp_path_factory.mktemp("uninterrupted")
    found = [facts(measurement) for measurement in run(folder)]
    return found, last_state(folder)


def test_the_budget_ends_it(uninterrupted) -> None:
    found, state = uninterrupted
    assert [m["images"] for m in found] == [EVERY * (n + 1) for n in range(EVALUATIONS)]
    assert state["images"] == EVERY * EVALUATIONS
    assert all(OBJECTIVE in m["metrics"] and m["signals"]["finite"] == 1.0 for m in found)


@pytest.mark.parametrize("cut", [1, 2, 5, 6])
def test_an_abandoned_training_goes_on_to_the_bit(cut: int, tmp_path: Path, uninterrupted) -> None:
    first = run(tmp_path)
    seen = [facts(next(first)) for _ in range(cut)]
    del first
    again = [facts(measurement) for measurement in run(tmp_path)]
    assert again[0] == seen[-1], "the measurement of the checkpoint is yielded again"
    assert seen[:-1] + again == uninterrupted[0]
    assert same(last_state(tmp_path), uninterrupted[1])


def test_cut_off_after_every_evaluation(tmp_path: Path, uninterrupted) -> None:
    last = []
    for cut in range(EVALUATIONS):
        training = run(tmp_path)
        last = [facts(next(training)) for _ in range(2 if cut else 1)]
    assert last == uninterrupted[0][-2:]
    assert same(last_state(tmp_path), uninterrupted[1])


@pytest.mark.parametrize("when", ["before", "after"])
def test_cut_off_while_a_checkpoint_is_renamed(when: str, tmp_path: Path, uninterrupted) -> None:
    """The checkpoint is on disk before its measurement is seen: it is there again at the next start, or not yet."""

    class Killed(BaseException):
        pass

    def kill(path: Path, moment: str) -> None:
        if moment == when and f"{2 * EVERY:012d}" in path.name:
            raise Killed

    first = training(Task(spec(), 1, OBJECTIVE), evaluator(), Store(tmp_path, kill))
    assert next(first).images == EVERY
    with pytest.raises(Killed):
        next(first)
    again = [facts(measurement) for measurement in run(tmp_path)]
    assert again == uninterrupted[0][0 if when == "before" else 1 :]
    assert same(last_state(tmp_path), uninterrupted[1])
    assert not list(tmp_path.rglob("*.part"))


def test_a_finished_training_yields_its_last_measurement_and_ends(tmp_path: Path, uninterrupted) -> None:
    for _ in run(tmp_path):
        pass
    assert [facts(measurement) for measurement in run(tmp_path)] == uninterrupted[0][-1:]


def test_the_seed_decides(tmp_path: Path, uninterrupted) -> None:
    (other,) = [facts(next(run(tmp_path, seed=2)))]
    assert other["metrics"] != uninterrupted[0][0]["metrics"]


SCRIPT = """
import json, sys, time
from pathlib import Path
import torch
from tests.training.toy import facts, run
torch.set_num_threads(1)
for measurement in run(Path(sys.argv[1])):
    print(json.dumps(facts(measurement)), flush=True)
    if len(sys.argv) > 2 and measurement.images == int(sys.argv[2]):
        time.sleep(600)
"""


@pytest.mark.slow
def test_a_killed_process_goes_on_in_another_to_the_bit(tmp_path: Path, uninterrupted) -> None:
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    with subprocess.Popen([*command, str(3 * EVERY)], cwd=root, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        seen = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    assert seen[:-1] + [json.loads(line) for line in done.stdout.splitlines()] == uninterrupted[0]
    assert same(last_state(tmp_path), uninterrupted[1])


def truncated(raw: bytes) -> bytes:
    return raw[: len(raw) // 2]


def bit_flipped(raw: bytes) -> bytes:
    return raw[:2000] + bytes([raw[2000] ^ 1]) + raw[2001:]


def emptied(raw: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("spoil", [truncated, bit_flipped, emptied])
def test_a_damaged_checkpoint_falls_back_and_says_so(
    spoil: Callable[[bytes], bytes], tmp_path: Path, uninterrupted
) -> None:
    first = run(tmp_path)
    for _ in range(3):
        newest = next(first)
    assert newest.checkpoint is not None
    path = tmp_path / newest.checkpoint
    path.write_bytes(spoil(path.read_bytes()))
    store = Store(tmp_path)
    again = [facts(measurement) for measurement in training(Task(spec(), 1, OBJECTIVE), evaluator(), store)]
    assert [path.name in line and "damaged" in line for line in store.damaged] == [True]
    assert again == uninterrupted[0][1:]
    assert same(last_state(tmp_path), uninterrupted[1])


def test_nothing_readable_begins_anew(tmp_path: Path, uninterrupted) -> None:
    next(run(tmp_path))
    (path,) = (tmp_path / "checkpoints").glob("*.pt")
    path.write_bytes(b"")
    assert [facts(measurement) for measurement in run(tmp_path)] == uninterrupted[0]
    assert not path.exists(), "what was damaged is not kept in place of what is newer"
