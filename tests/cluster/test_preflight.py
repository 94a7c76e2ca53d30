"""What a node must have, without Ray: each lack is one line; and how many runs fit on it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.cluster.gathering import gathered
from pipeline.cluster.preflight import Wanted, exchange, problem
from pipeline.drivers import looking
from pipeline.drivers.share import GIB, Share
from pipeline.errors import InputError

NODE = "0a1b"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "cats"
    folder.mkdir(parents=True)
    (folder / "1.png").write_bytes(b"one")
    return folder


Wrong = Callable[[dict[str, Any]], object]


def asked(home: Path, data: Path, wrong: Wrong = lambda found: None) -> str | None:
    """What is said of a node that has all, but for what `wrong` does to what it says."""
    wanted = Wanted(home, (data.parent,), Share())
    mine = looking.whoever() | {"files": {str(path): looking.fingerprint(path) for path in wanted.files}}
    with exchange(home) as (place, nonce):
        found = looking.look(NODE, str(place), [str(path) for path in wanted.files], gpu=False)
        wrong(found)
        arrived = (place / NODE).exists() and (place / NODE).read_text() == looking.answer(nonce, NODE)
        said = problem(mine, found, wanted, arrived=arrived)
    assert not list(home.glob(".look-*"))
    return said


def test_a_node_that_has_everything(tmp_path: Path, data: Path) -> None:
    assert asked(tmp_path, data) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda found: found["versions"].update(torch="1.0"), "has torch 1.0, the driver "),
        (lambda found: found["versions"].update(gansweep="0.0"), "has gansweep 0.0, the driver "),
        (lambda found: found.update(source="abc"), "its gansweep's source is another (abc, the driver's "),
        (lambda found: found.update(unwritten="Read-only file system"), "cannot write to "),
        (lambda found: found["free"].update({"/tmp": 2**20}), "has 1 MiB free in /tmp; valid: 64 or more"),
        (lambda found: found.update(gpu="RuntimeError: no CUDA"), "its GPU cannot be used: RuntimeError: no CUDA"),
        (lambda found: found["files"].update(dict.fromkeys(found["files"])), "cannot read the data in "),
    ],
)
def test_each_lack_is_one_line(tmp_path: Path, data: Path, wrong: Wrong, said: str) -> None:
    found = asked(tmp_path, data, wrong)
    assert found is not None
    assert found.startswith(said)
    assert "\n" not in found


def test_a_folder_that_is_not_shared_is_told_by_the_nonce_and_by_its_answer(tmp_path: Path, data: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    found = looking.look(NODE, str(elsewhere / ".look-1"), [], gpu=False)
    mine = looking.whoever() | {"files": {}}
    wanted = Wanted(tmp_path, (), Share())
    unseen = problem(mine, found, wanted, arrived=False)
    assert unseen is not None
    assert unseen.startswith(f"does not see {tmp_path} as the driver does (No such file or directory)")
    (elsewhere / looking.NONCE).write_text("another")
    found = looking.look(NODE, str(elsewhere), [], gpu=False)
    lost = problem(mine, found, wanted, arrived=False)
    assert lost is not None
    assert lost.startswith(f"what it writes to {tmp_path} does not arrive")


def test_data_are_known_by_names_sizes_and_content(data: Path) -> None:
    before = looking.fingerprint(data.parent)
    (data / "1.png").write_bytes(b"two")
    content = looking.fingerprint(data.parent)
    os.rename(data / "1.png", data / "2.png")
    assert len({before, content, looking.fingerprint(data.parent), None}) == 4
    assert looking.fingerprint(data / "nowhere") is None


@pytest.mark.parametrize(
    ("resources", "share", "fit"),
    [
        ({"CPU": 8.0, "GPU": 2.0}, Share(gpus=0.4), 4),  # two on each: the rest of one is of no use to the other
        ({"CPU": 3.0, "GPU": 2.0}, Share(gpus=0.4), 3),
        ({"CPU": 8.0, "GPU": 1.0}, Share(gpus=0.1), 8),
        ({"CPU": 64.0, "GPU": 3.0}, Share(gpus=0.1), 30),
        ({"CPU": 8.0, "GPU": 4.0}, Share(gpus=1), 4),
        ({"CPU": 8.0, "GPU": 5.0}, Share(gpus=2), 2),
        ({"CPU": 8.0}, Share(gpus=0.5), 0),
        ({"CPU": 8.0, "GPU": 2.0}, Share(), 8),
        ({"memory": 1.0}, Share(), 0),
        ({"CPU": 8.0, "GPU": 4.0}, Share(cpus=4, gpus=1), 2),
        ({"CPU": 7.0}, Share(cpus=4), 1),
        ({"CPU": 1.0}, Share(cpus=1 / 3), 3),
        ({"CPU": 8.0, "memory": 9.0 * GIB}, Share(memory=4.0 * GIB), 2),
        ({"CPU": 8.0}, Share(memory=1.0), 0),
    ],
)
def test_how_many_runs_fit_on_a_node(resources: dict[str, float], share: Share, fit: int) -> None:
    assert share.fit(resources) == fit


NODES = {"small": {"CPU": 4.0, "GPU": 1.0, "memory": 8.0 * GIB}, "large": {"CPU": 16.0, "memory": 60.0 * GIB}}


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (Share(cpus=64), "--cpus-per-trial 64 (the most that one node has: 16); the largest, large: 16 CPUs, 0 GPUs,"),
        (Share(gpus=2), "--gpus-per-trial 2 (the most that one node has: 1); the largest, small: 4 CPUs, 1 GPUs,"),
        (Share(memory=64 * GIB), "--memory-per-trial 64 GiB (the most that one node has: 60 GiB); the largest, large:"),
        (
            Share(cpus=8, gpus=1),
            "--cpus-per-trial 8 (the most that one node has: 16), --gpus-per-trial 1 (the most that one node has: 1), "
            "not together; the largest, large: 16 CPUs, 0 GPUs, 60.0 GiB of memory for runs",
        ),
    ],
)
def test_what_no_node_has_is_said_with_what_they_have(share: Share, said: str) -> None:
    assert f"no node has room for a trial of {said}" in share.too_much(NODES)


def test_a_number_of_gpus_that_ray_does_not_know_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"--gpus-per-trial: found 1\.5; valid: a share"),
        gathered(Wanted(tmp_path, (), Share(gpus=1.5)), cluster=True),
    ):
        pass
