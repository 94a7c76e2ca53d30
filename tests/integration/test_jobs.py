"""A sweep on a cluster that is elsewhere, by its dashboard's address: submitted, seen again, stopped, gone on with."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.games.test_own import example
from tests.integration.command import INTERRUPT, Done, Running, events, gansweep, made_twice, measured, state_of
from tests.integration.test_own_game import SPACE
from tests.tracking.servers import free_port

pytestmark = [pytest.mark.slow, pytest.mark.cluster]
NAME = "elsewhere"
HELD = """
import pathlib, time

judged = MyGame.discriminator_loss


def once_let_go(self, *arguments, **named):
    while pathlib.Path("{held}").exists():
        time.sleep(0.05)
    return judged(self, *arguments, **named)


MyGame.discriminator_loss = once_let_go
"""


@dataclass
class Story:
    address: str
    home: Path  # that the cluster's machines share
    looked_away: Done  # the one who submitted it, by a Ctrl-C
    again: Done  # ... who looks again, until it is stopped
    stop: Done
    typo: Done
    last: Done  # the same command, which goes on with it


@pytest.fixture(scope="module")
def dashboard() -> Iterator[str]:
    """Of a cluster of one node, whose command is that of this environment."""
    from ray.cluster_utils import Cluster

    pytest.importorskip("aiohttp_cors", reason="of the extra: pip install -e .[cluster] -c constraints.txt")
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{path}"
    made: Any = None
    try:
        # the agent takes the jobs, and gives up where another Ray of this machine has its port
        ports = {"dashboard_port": 0, "dashboard_agent_listen_port": free_port()}
        head = {"num_cpus": 1, "include_dashboard": True, "object_store_memory": 100 * 2**20, **ports}
        made = Cluster(initialize_head=True, head_node_args=head)
        yield f"http://{made.head_node.webui_url}"
    finally:
        os.environ["PATH"] = path
        if made is not None:
            made.shutdown()


@pytest.fixture(scope="module")
def story(dashboard: str, tmp_path_factory: pytest.TempPathFactory) -> Story:
    home, mine = tmp_path_factory.mktemp("shared"), tmp_path_factory.mktemp("mine")
    space, held = mine / "own.yaml", mine / "held"
    (mine / "my_gan.py").write_text(example() + HELD.format(held=str(held)))
    longer = SPACE.replace("4_000", "300_000").replace("1_000", "5_000")  # so that one can come back to it
    calm = "health: {low_diversity: null, lost_coverage: null, flat_output: null, never_covered: null}\n"  # to its end
    space.write_text(longer.replace("my_gan.py", str(mine / "my_gan.py")) + calm)
    command = ("run", str(space), "--name", NAME, "--home", str(home), "--address", dashboard)
    first = Running(home, *command)
    first.until(NAME, lambda lines: measured(lines, trial=0))
    held.touch()  # however long it takes to come back to it
    looked_away = first.signal(INTERRUPT)
    again = Running(home, *command)
    again.said(f"note: {NAME} is at work as the job ")
    held.unlink()
    stop = gansweep(home, "stop", NAME, "--address", dashboard, "--home", str(home))
    stopped = again.wait()
    typo = gansweep(home, "stop", "another", "--address", dashboard)
    return Story(dashboard, home, looked_away, stopped, stop, typo, gansweep(home, *command))


def test_it_goes_on_where_nobody_looks_and_can_be_looked_at_again(story: Story) -> None:
    assert story.looked_away.code == 130
    assert "goes on; the same command shows it again" in story.looked_away.last
    assert f"sweep {NAME} in {story.home}" in story.again.err  # from the beginning of its output


def test_stop_ends_it_and_the_same_command_goes_on(story: Story) -> None:
    assert story.stop.code == 0, story.stop.err
    assert story.typo.code == 2
    assert "another is not running at" in story.typo.last
    assert story.again.code == 130
    assert story.last.code in (0, 4), story.last.err
    lines = events(story.home, NAME)
    assert [line["state"] for line in lines if line["event"] == "driver"] == [
        *("started", "interrupted"),
        *("started", "finished"),
    ]
    assert made_twice(lines) == []
    assert len(state_of(story.home, NAME).trials) == 2


def test_a_dashboard_that_is_none_is_one_line(story: Story) -> None:
    done = gansweep(story.home, "run", "digits", "--home", str(story.home), "--address", "http://127.0.0.1:1")
    assert done.code == 3
    assert done.last.startswith("gansweep: the dashboard at http://127.0.0.1:1 cannot be reached: ")
