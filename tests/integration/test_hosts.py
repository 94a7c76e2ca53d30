"""A sweep on hosts that share nothing but a bucket, in networks of their own: a link is cut, a worker freezes, at last
the whole cluster is lost with the driver's machine. What it comes to is what an undisturbed sweep does, to the bit."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from pipeline.deadline import VARIABLE
from pipeline.record.events import Line
from pipeline.storage.storage import opened
from tests import hosts, s3
from tests.hosts import Host, Network
from tests.integration.command import SWEEP, Done, Running, events, found, made_twice, measured, state_of
from tests.integration.conftest import Finished
from tests.integration.test_storage import wanted

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

NAME = "apart"
DEADLINE = 60.0  # seconds, in place of ten minutes and more; a start on a busy machine has to fit


@dataclass
class Story:
    noticed: float  # seconds, from the cut to the line that says so
    replaced: float  # seconds, from the last that was heard of a frozen worker to the line that says so
    before: list[Line]  # what the first driver had recorded when it was lost
    last: Done
    home: Path  # of the last launch
    bucket: str


def ends(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line["event"] == "attempt_ended"]


def trial_under_way(lines: list[Line]) -> int:
    return max(line["trial"] for line in lines if line["event"] == "attempt")


def host_of(lines: list[Line], there: list[Host]) -> Host:
    """Where the last attempt runs."""
    said = [line["host"] for line in lines if line["event"] == "attempt"][-1]
    (host,) = [each for each in there if each.name in said.split()]
    return host


def worker(host: Host) -> psutil.Process:
    """That holds the run there."""
    (found,) = [each for each in host.processes() if re.match(r"ray::Trainable", " ".join(each.cmdline()))]
    return found


def cut_off(running: Running, there: Network) -> float:
    """The host that trains loses its link in the middle of a run, and has it again once the run goes on elsewhere."""
    trial = trial_under_way(running.until(NAME, lambda lines: measured(lines, 0)))
    host, began = host_of(events(running.home, NAME), there.hosts), time.time()
    host.cut()
    lines = running.until(NAME, lambda lines: len(ends(lines)) == 1)
    times = sum(line["event"] == "measurement" and line["trial"] == trial for line in lines)
    running.until(NAME, lambda lines: measured(lines, trial, times + 1))
    host.mend()
    return float(ends(lines)[0]["time"]) - began


def freeze(running: Running, there: Network) -> float:
    """The next run's worker is stopped in the middle of it."""
    trial = trial_under_way(events(running.home, NAME)) + 1
    lines = running.until(NAME, lambda lines: measured(lines, trial))
    frozen = worker(host_of(lines, there.hosts))
    frozen.suspend()
    heard = max(line["time"] for line in events(running.home, NAME) if line["event"] == "measurement")
    lines = running.until(NAME, lambda lines: len(ends(lines)) == 2)
    frozen.wait(60)  # ended, not left behind
    running.until(NAME, lambda lines: measured(lines, trial, 3))
    return float(ends(lines)[1]["time"]) - heard


def cluster(there: Network, home: Path) -> tuple[str, ...]:
    """A head that trains nothing, where the driver runs, and two that do; how to go there, and the driver's home."""
    head = there.node("head", 0)
    for name in ("anna", "bert"):
        there.node(name, 1, [home])
    there.up()
    return head.inside


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    if not hosts.may_be_made():
        pytest.skip("hosts in networks of their own want root that may make them, and iproute2")
    home, other = (tmp_path_factory.mktemp("home") for _ in range(2))
    with pytest.MonkeyPatch.context() as environment, hosts.network() as there:
        environment.setenv(VARIABLE, str(DEADLINE))
        (token := there.temporary.with_suffix(".token")).write_text(secrets.token_hex(32))  # as deploy/ray has it
        environment.setenv("RAY_AUTH_MODE", "token")
        environment.setenv("RAY_AUTH_TOKEN_PATH", str(token))
        with s3.running(there.here) as server:
            inside, where = cluster(there, home), ("--storage", server.url, "--address", there.cluster)
            running = Running(home, "run", *SWEEP, "--name", NAME, *where, inside=inside)
            noticed, replaced = cut_off(running, there), freeze(running, there)
            running.end()
            there.lose()
            before = events(home, NAME)
            inside, where = cluster(there, other), ("--storage", server.url, "--address", there.cluster)
            environment.delenv("RAY_AUTH_MODE")  # a token that is there is offered to who wants one
            last = Running(other, "resume", NAME, *where, inside=inside).wait()
            yield Story(noticed, replaced, before, last, other, server.url)


def test_a_cut_link_is_noticed_in_seconds(story: Story) -> None:
    assert story.noticed < 10
    print(f"a cut link: noticed after {story.noticed:.1f} s")


def test_a_frozen_worker_is_replaced(story: Story) -> None:
    assert DEADLINE < story.replaced < 2 * DEADLINE
    print(f"a frozen worker: replaced {story.replaced:.1f} s after its last word, with a deadline of {DEADLINE:.0f}")


def test_a_lost_cluster_is_gone_on_with_from_the_bucket_alone(story: Story, whole: Finished) -> None:
    assert story.last.code == 0, story.last.err
    lines = events(story.home, NAME)
    assert 0 < len(story.before) <= len(lines)
    assert {line["kind"] for line in ends(story.before)} == {"lost"}
    assert found(state_of(story.home, NAME)) == found(whole.state)
    assert made_twice(lines) == []


def test_what_was_cut_off_wrote_over_nothing(story: Story) -> None:
    """Each file that the record names is there as it was when it was named."""
    bucket = opened(f"{story.bucket}/{NAME}")
    names = set(bucket.names("trials"))
    for run in state_of(story.home, NAME).runs:
        there = wanted(run)
        assert set(there) <= names
        for each in there:
            if "/checkpoints/" in each:
                assert hashlib.sha256(bucket.get(each)).hexdigest()[:16] in each
