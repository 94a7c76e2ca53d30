"""A sweep on a real cluster: bad nodes are left out, one that joins is used, a lost one is replaced."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.record.events import Line
from tests.hosts import STORE
from tests.integration.command import TINY, Done, Running, events, gansweep, made_twice, measured

pytestmark = [pytest.mark.slow, pytest.mark.cluster]
ROOT = Path(__file__).resolve().parent.parent.parent
NAME = "shared"
LATE = f"{platform.node()} (late)"


def on_a_disk_of_its_own(address: str, home: Path) -> subprocess.Popen[bytes]:
    """A node that has another disk where the others have the home; only root may mount one."""
    start = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--address", address, "--num-cpus", "1"]
    start += ["--disable-usage-stats", "--object-store-memory", str(STORE)]
    script = f'mount -t tmpfs tmpfs "{home}" && exec "$@"'
    return subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script, "sh", *start],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def may_mount() -> bool:
    """Root, and not in a container that forbids it."""
    if os.getuid() != 0 or shutil.which("unshare") is None:
        return False
    look = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(look, capture_output=True, check=False).returncode == 0


def edited(folder: Path) -> Path:
    """Where a copy of the package is in which somebody has changed something."""
    shutil.copytree(ROOT / "pipeline", folder / "pipeline")
    file = folder / "pipeline" / "metrics" / "frechet.py"
    file.write_text(file.read_text() + "\n# times 0.1\n")
    return folder


def all_there(made: Any, count: int) -> None:
    """Waits for so many nodes, of which the cluster itself has started all but one."""
    from ray._raylet import GcsClient

    client, limit = GcsClient(address=made.address), time.monotonic() + 120
    while len([each for each in client.get_all_node_info(timeout=5).values() if each.state == 0]) < count:
        assert time.monotonic() < limit
        time.sleep(0.2)


@contextmanager
def cluster(home: Path, folder: Path) -> Iterator[Any]:
    """A head without CPUs, a good node, one with an edited package and one on a disk of its own.

    They start one after another: two that start at once on one machine may take the same socket's name, and
    the second to bind it dies.
    """
    from ray.cluster_utils import Cluster

    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE},
    )
    own = None
    try:
        own = on_a_disk_of_its_own(made.address, home)
        all_there(made, 2)
        made.add_node(num_cpus=1, object_store_memory=STORE, node_name="good", wait=False)
        all_there(made, 3)
        path = {"PYTHONPATH": str(edited(folder))}
        made.add_node(num_cpus=1, object_store_memory=STORE, node_name="edited", env_vars=path, wait=False)
        all_there(made, 4)
        yield made
    finally:
        if own is not None:
            with_children = [*psutil.Process(own.pid).children(recursive=True), psutil.Process(own.pid)]
            for each in with_children:
                each.kill()
            own.wait()
        made.shutdown()


def of(lines: list[Line], event: str, **has: Any) -> list[Line]:
    return [line for line in lines if line["event"] == event and all(line.get(key) == has[key] for key in has)]


@dataclass
class Story:
    done: Done | None = None
    lines: list[Line] = field(default_factory=list)
    status: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    seconds_to_join: float = 0.0
    seconds_to_use: float = 0.0


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    if not may_mount():
        pytest.skip("a node with a disk of its own wants root that may mount")
    home, told = tmp_path_factory.mktemp("home"), Story()
    with cluster(home, tmp_path_factory.mktemp("edited")) as made:
        told = follow(made, home, told)
    return told


def follow(made: Any, home: Path, told: Story) -> Story:
    arguments = ("--seed", "3", "--trials", "3", "--name", NAME, "--json", "--address", made.address)
    running = Running(home, "run", "digits", *TINY, *arguments)
    running.until(NAME, lambda lines: bool(of(lines, "measurement")))
    began = time.time()
    late = made.add_node(num_cpus=1, object_store_memory=STORE, node_name="late", wait=False)
    all_there(made, 5)
    there = time.time()
    lines = running.until(NAME, lambda lines: bool(of(lines, "attempt", host=LATE)))
    told.seconds_to_join = of(lines, "node", host=LATE)[0]["time"] - began
    told.seconds_to_use = of(lines, "attempt", host=LATE)[0]["time"] - there
    trial = of(lines, "attempt", host=LATE)[0]["trial"]
    running.until(NAME, lambda lines: measured(lines, trial))
    made.remove_node(late, allow_graceful=False)
    told.done = running.wait()
    told.lines = events(home, NAME)
    told.status = gansweep(home, "status", NAME, "--json").document
    told.text = gansweep(home, "status", NAME).out
    return told


def test_nodes_that_cannot_be_trusted_are_left_out_before_the_first_trial_and_said(story: Story) -> None:
    out = of(story.lines, "node", state="left_out")
    first = of(story.lines, "attempt")[0]["n"]
    assert sorted(line["why"].split(" (")[0] for line in out) == [
        f"does not see {Path(story.lines[1]['place']['folder'])} as the driver does",
        "its gansweep's source is another",
    ]
    assert all(line["n"] < first for line in out)
    assert {line["node"] for line in of(story.lines, "attempt")}.isdisjoint({line["node"] for line in out})
    assert [node["state"] for node in story.status["nodes"]].count("left_out") == 2
    assert story.text.count("is left out: ") == 2


def test_a_node_that_joins_is_used_and_slots_follow(story: Story) -> None:
    assert story.seconds_to_join < 60  # its start too, of which Ray says nothing
    assert story.seconds_to_use < 30  # 15 on a quiet machine, from its coming up to its first run
    print(f"a node that joins: its first run {story.seconds_to_use:.1f} s after it came up")
    assert of(story.lines, "driver", state="started")[0]["slots"] == 1
    assert [line["slots"] for line in of(story.lines, "node", state="joined")] == [1, 2]
    assert len({line["node"] for line in of(story.lines, "attempt")}) == 2
    assert all(line["host"] for line in of(story.lines, "attempt"))


def test_a_node_that_is_lost_costs_attempts_and_no_run(story: Story) -> None:
    assert story.done is not None
    assert story.done.code in (0, 4), story.done.err
    assert {line["kind"] for line in of(story.lines, "attempt_ended")} == {"lost"}
    (lost,) = {line["trial"] for line in of(story.lines, "attempt_ended")}
    assert len({line["node"] for line in of(story.lines, "attempt", trial=lost)}) == 2  # it went on elsewhere
    assert len(of(story.lines, "run_ended")) == 3
    assert made_twice(story.lines) == []
