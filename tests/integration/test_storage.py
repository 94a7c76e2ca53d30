"""A sweep whose bucket is all that is kept: its driver killed at segments, each time with its machine, and S3 away for
a while; it comes to what an undisturbed one does, and is looked at and picked from the bucket alone."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.record import lock
from pipeline.record.runs import Run
from pipeline.storage.storage import opened
from tests import s3
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

NAME = "kept"
# A launch a place, each in an empty home but where one is killed before its first segment: then there is nothing to be
# found elsewhere. Segments: sweep; driver; prepared; then trial, attempt, what was measured until a run's end.
PLACES = ("segment:1:after", "segment:2:before", "segment:4:after", "segment:5:before", "segment:6:after")
AWAY = 30.0  # seconds


@dataclass
class Story:
    server: s3.S3
    killed: list[Done]
    last: Done
    home: Path  # of the last launch
    refused: int  # requests, while it was away
    silent: float  # seconds without a beat of the lock in the home, at most, meanwhile


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with s3.running() as server:
        killed = []
        for number, place in enumerate(PLACES):
            home = tmp_path_factory.mktemp("elsewhere")
            arguments = ("resume", NAME) if number else ("run", *SWEEP, "--name", NAME)
            here = (*arguments, "--storage", server.url)
            killed.append(Running(home, *here, module="tests.integration.crash", first=(f"driver@{place}",)).wait())
        home = tmp_path_factory.mktemp("last")
        began = time.time()
        running = Running(home, "resume", NAME, "--storage", server.url, "--json")
        running.until(NAME, lambda lines: any(each["time"] > began for each in lines if each["event"] == "measurement"))
        server.failing = "500 Internal Server Error"
        silent, end = 0.0, time.monotonic() + AWAY
        while time.monotonic() < end:
            time.sleep(0.2)
            silent = max(silent, time.time() - (home / NAME / lock.NAME).stat().st_mtime)
        server.failing = ""
        yield Story(server, killed, running.wait(), home, server.refused, silent)


def test_killed_with_its_machine_at_segments_and_s3_away_it_comes_to_the_same(story: Story, whole: Finished) -> None:
    assert [done.code for done in story.killed] == [-KILL] * len(PLACES), [done.err for done in story.killed]
    assert story.refused > 0
    assert story.silent < lock.STALE, "the heart waits for the bucket"
    assert story.last.code == 0, story.last.err
    assert found(state_of(story.home, NAME)) == found(whole.state)
    assert made_twice(events(story.home, NAME)) == []


def test_all_of_it_is_in_the_bucket(story: Story, tmp_path: Path) -> None:
    done = gansweep(tmp_path, "status", NAME, "--storage", story.server.url, "--json")
    assert done.code == 0, done.err
    assert done.document["state"] == "finished"
    assert events(tmp_path, NAME) == events(story.home, NAME)
    assert done.err == ""
    here = gansweep(tmp_path, "status", NAME)
    assert f"{NAME} is in {story.server.url}; this is what was last brought here" in here.err
    storage = opened(f"{story.server.url}/{NAME}")
    runs = state_of(tmp_path, NAME).runs
    assert {name for run in runs for name in wanted(run)} <= set(storage.names("trials"))


def wanted(run: Run) -> list[str]:
    """What must be there of a run: its last checkpoint, unless a rung stopped it, and its pictures."""
    place = f"trials/{run.trial}/seed-{run.seed}"
    last = [m for m in run.measurements if m.checkpoint][-1:] if run.end_reason != "rung" else []
    return [
        *(f"{place}/{m.checkpoint}" for m in last),
        *(f"{place}/{m.samples}" for m in run.measurements if m.samples),
    ]


def test_it_is_picked_from_the_bucket_alone(story: Story, tmp_path: Path) -> None:
    done = gansweep(tmp_path, "pick", NAME, "--top", "2", "--seeds", "2", "--storage", story.server.url)
    assert done.code in (0, 4), done.err
    state = gansweep(tmp_path / "another", "status", NAME, "--storage", story.server.url, "--json")
    assert state.code == 0, state.err
    assert events(tmp_path / "another", NAME) == events(tmp_path, NAME)


def test_a_bucket_that_cannot_be_written_is_one_line_before_the_first_trial(story: Story, tmp_path: Path) -> None:
    done = gansweep(tmp_path, "run", *SWEEP, "--name", "none", "--storage", "s3://nobody/team")
    assert done.code == 3
    assert done.last == "gansweep: the storage s3://nobody/team/none fails: there is no such bucket"
    assert events(tmp_path, "none") == []
    taken = gansweep(tmp_path, "run", *SWEEP, "--name", NAME, "--storage", story.server.url)
    assert taken.code == 2
    assert f"the name {NAME} is taken in {story.server.url}" in taken.last


def test_nobodys_credentials_are_in_what_is_kept(story: Story) -> None:
    secret = s3.SECRET.encode()
    here = [path for path in story.home.rglob("*") if path.is_file() and secret in path.read_bytes()]
    storage = opened(story.server.url)
    there = [
        name for name in storage.names("") if name.endswith(("json", "jsonl", "txt")) and secret in storage.get(name)
    ]
    said = [done for done in (*story.killed, story.last) if s3.SECRET in done.out + done.err]
    assert (here, there, said) == ([], [], [])
