"""A sweep killed at each kind of line and each rename, right before and right after: it comes to the same."""

import random
import time
from pathlib import Path

import pytest

from tests.integration.agreement import disagreements
from tests.integration.command import (
    KILL,
    SWEEP,
    Done,
    Running,
    events,
    found,
    gansweep,
    made_twice,
    state_of,
)
from tests.integration.conftest import Finished

pytestmark = pytest.mark.slow

# Where the driver is killed, a launch a place, in an order in which each launch comes as far as its place. An attempt
# ends in the record only where a worker was lost. Right before a line is after the one before it, where nothing of note
# lies between.
LINES = ("sweep", "driver", "prepared", "trial", "attempt", "measurement", "attempt_ended", "run_ended")
BEFORE = ("sweep", "trial", "measurement", "run_ended")
PLACES = [
    *(f"driver@{line}:1:{when}" for line in LINES for when in ("before", "after") if when == "after" or line in BEFORE),
    *(f"driver@rename:2:{when}" for when in ("before", "after")),
    *(f"driver@driver:2:{when}" for when in ("before", "after")),  # its last line
]
# Killed workers, one sweep: each at another place, of another run where three would spend its attempts.
WORKERS = (
    *("measurement:2:before", "measurement:4:after", "run_ended:1:before", "run_ended:2:after", "trial:4:before"),
    *("attempt:6:before", "attempt:8:after", "rename:4:before", "rename:5:after"),
)
RANDOM = 3  # kills at random moments
AT = 20261125  # their seed


def launch(home: Path, name: str, places: str, *more: str) -> Running:
    """Goes on with the sweep, or begins it, with something to be killed."""
    arguments = ("resume", name) if events(home, name) else ("run", *SWEEP, "--name", name)
    return Running(home, *arguments, *more, module="tests.integration.crash", first=(places,))


@pytest.fixture(scope="module")
def killed(home: Path, whole: Finished) -> tuple[dict[str, Done], dict[str, list[str]], Done]:
    """How each launch ended, where record, study and MLflow disagreed after it, and the end of the last one."""
    ended: dict[str, Done] = {}
    wrong: dict[str, list[str]] = {}
    name = "killed"
    for place in PLACES:
        lost = "worker@measurement:1:after," if "attempt_ended" in place else ""
        ended[place] = launch(home, name, lost + place).wait()
        wrong[place] = disagreements(home, name)
    return ended, wrong, gansweep(home, "resume", name, "--json")


@pytest.mark.parametrize("place", PLACES)
def test_the_driver_was_killed_there_and_all_agree_after_it(
    killed: tuple[dict[str, Done], dict[str, list[str]], Done], place: str
) -> None:
    ended, wrong, _ = killed
    assert ended[place].code == -KILL, ended[place].err
    assert wrong[place] == []


def test_killed_everywhere_it_comes_to_what_an_undisturbed_sweep_does(
    killed: tuple[dict[str, Done], dict[str, list[str]], Done], home: Path, whole: Finished
) -> None:
    done = killed[2]
    assert done.code == 0, done.err
    assert found(state_of(home, "killed")) == found(whole.state)
    assert made_twice(events(home, "killed")) == []
    assert disagreements(home, "killed") == []
    assert done.document["state"] == "finished"
    assert done.document["tracker_backlog"] == 0


def test_killed_at_random_moments(home: Path, whole: Finished) -> None:
    moments, name = random.Random(AT), "random"
    for _ in range(RANDOM):
        before = len(events(home, name))
        arguments = ("run", *SWEEP, "--name", name, "--resume")  # one command, begun or not
        running = Running(home, *arguments)
        running.until(name, lambda lines, before=before: len(lines) > before)
        time.sleep(moments.uniform(0, 8))
        done = running.signal(KILL)
        assert done.code == -KILL, done.err
        assert disagreements(home, name) == []
    done = gansweep(home, "resume", name)
    assert done.code == 0, done.err
    assert found(state_of(home, name)) == found(whole.state)
    assert made_twice(events(home, name)) == []
    assert disagreements(home, name) == []


def test_workers_killed_everywhere(home: Path, whole: Finished) -> None:
    name = "workers"
    done = launch(home, name, ",".join(f"worker@{place}" for place in WORKERS)).wait()
    assert done.code == 0, done.err
    lines = events(home, name)
    lost = [line for line in lines if line["event"] == "attempt_ended"]
    assert len(lost) >= 6, lost  # of 9 places: at some the worker before had just been killed
    assert {line["kind"] for line in lost} == {"lost"}
    assert found(state_of(home, name)) == found(whole.state)
    assert made_twice(lines) == []
    assert disagreements(home, name) == []


@pytest.fixture(scope="module")
def headless(home: Path, whole: Finished) -> dict[str, Done]:
    """Ray's own processes killed, one after the other, in the middle of a run."""
    return {whom: launch(home, "headless", f"{whom}@measurement:2:after").wait() for whom in ("gcs_server", "raylet")}


@pytest.mark.parametrize("whom", ["gcs_server", "raylet"])
def test_without_ray_it_ends_and_says_how_to_go_on(headless: dict[str, Done], whom: str) -> None:
    done = headless[whom]
    assert done.code == 1, done.err
    assert "the Ray cluster is gone" in done.last
    assert "gansweep resume headless" in done.last
    assert "Traceback" not in done.err


def test_without_ray_nothing_is_lost(headless: dict[str, Done], home: Path, whole: Finished) -> None:
    assert disagreements(home, "headless") == []
    done = gansweep(home, "resume", "headless")
    assert done.code == 0, done.err
    assert found(state_of(home, "headless")) == found(whole.state)
    assert made_twice(events(home, "headless")) == []
    assert disagreements(home, "headless") == []
