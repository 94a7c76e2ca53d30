"""Where runs go in a cluster, and what is a node's fault: the driver without Ray."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.drivers.driver import Assignment
from pipeline.drivers.job import Attempt
from pipeline.drivers.nodes import JOINED, LEAST, LEFT, LEFT_OUT, MOST, Change, Node, Nodes
from pipeline.drivers.search import SearchDriver
from pipeline.drivers.waiting import SLACK, Waiting
from pipeline.errors import Superseded
from pipeline.record.log import read
from pipeline.record.measurement import Measurement
from pipeline.record.state import SweepState
from pipeline.report.status import status_document
from pipeline.report.summary import summary
from tests.drivers.fake_tune import FakeTune, measured_twice

A, B = Node("a", "host-a", 2), Node("b", "host-b", 1)
FOUND = Measurement(100, {"fid": 9.0}, {"finite": 1.0}, 1.0)


def in_cluster(folder: Path, *nodes: Node, trials: int = 8) -> FakeTune:
    tune = FakeTune(folder, trials=trials)
    tune.driver.nodes = Nodes(nodes)
    return tune


def begun(tune: FakeTune) -> Attempt:
    (attempt,) = tune.next_runs()
    tune.driver.started(attempt)
    return attempt


def test_runs_go_where_most_room_is_and_not_beyond_it() -> None:
    nodes, taken = Nodes([A, B]), list[str]()
    while (node := nodes.place(taken)) is not None:
        taken.append(node.id)
    assert taken == ["a", "a", "b"]
    assert nodes.slots == 3
    assert Nodes([A, B], limit=2).place(["a", "b"]) is None


def test_a_node_at_fault_is_avoided_while_there_are_others_even_busy_ones() -> None:
    nodes = Nodes([A, B])
    assert nodes.place([], {"a"}) == B
    assert nodes.place(["b"], {"a"}) is None
    assert nodes.place([], {"a", "b"}) == A


def test_nodes_join_and_leave() -> None:
    nodes = Nodes([A])
    nodes.heard(Change(B, JOINED))
    assert nodes.slots == 3
    nodes.heard(Change(A, LEFT))
    assert (nodes.slots, nodes.place([])) == (1, B)
    nodes.heard(Change(B, LEFT_OUT, "no disk"))
    assert (nodes.slots, nodes.place([])) == (0, None)


def test_two_instant_failures_and_no_success_leave_a_node_out_and_are_shown(tmp_path: Path) -> None:
    tune = in_cluster(tmp_path, A, B)
    tune.driver.heard(Change(A, JOINED))
    first, second, third = begun(tune), begun(tune), begun(tune)
    for bad in (each for each in (first, second, third) if each.node == "a"):
        tune.driver.faulted(bad, "node", {"error": "OSError: read-only file system"})
    assert tune.driver.stopping is None
    said = tune.follower.notices()
    assert said == ["node host-a: OSError: read-only file system; it is left out (1 runs at a time)"]
    state = SweepState.fold(read(tune.record.path)[0])
    assert state == tune.driver.state
    assert state.slots == 1
    assert [run.end_reason for run in state.runs] == [None] * 3
    assert "node host-a is left out: OSError: read-only file system" in summary(state)
    (node,) = status_document(state, tmp_path, {}, 0)["nodes"]
    assert (node["host"], node["state"]) == ("host-a", "left_out")


def test_a_node_on_which_something_worked_is_kept_and_the_run_tried_elsewhere(tmp_path: Path) -> None:
    tune = in_cluster(tmp_path, replace(A, slots=1), B)
    first, second = begun(tune), begun(tune)
    tune.driver.measured(first, FOUND)
    for _ in range(2):
        tune.driver.faulted(first, "node", {"error": "stale"})
        other = begun(tune)  # its own node is free, and is not given to it: another trial goes there
        assert (other.trial, other.node) != (first.trial, first.node)
        tune.driver.ended(other, "completed", {})
        tune.driver.started(first)
    assert len(tune.driver.nodes) == 2
    tune.driver.ended(second, "completed", {})
    again = begun(tune)
    assert (again.trial, again.node) == (first.trial, second.node)


def test_without_a_node_that_works_the_sweep_stops_and_nothing_is_ended(tmp_path: Path) -> None:
    tune = FakeTune(tmp_path, plan={0: {100: ("node", 9)}})
    state = tune.go()
    assert tune.driver.stopping == "no_nodes"
    assert [run.end_reason for run in state.runs] == [None]
    assert state.without_nodes() == "no node is left on which runs work (here: node)"


def test_workers_lost_at_once_by_two_runs_leave_a_node_out_but_never_the_last(tmp_path: Path) -> None:
    tune = in_cluster(tmp_path, A, replace(B, slots=2))
    attempts = [begun(tune) for _ in range(4)]
    for node in ("a", "b"):
        for attempt in (each for each in attempts if each.node == node):
            tune.driver.faulted(attempt, "lost", {"error": "worker died"})
        assert (len(tune.driver.nodes), tune.driver.stopping) == (1, None)


def test_an_attempt_says_where_it_is_and_older_ones_are_read(tmp_path: Path) -> None:
    tune = in_cluster(tmp_path, A)
    begun(tune)
    (line,) = [each for each in read(tune.record.path)[0] if each["event"] == "attempt"]
    assert (line["host"], line["node"]) == ("host-a", "a")
    tune.record.append("attempt", trial=0, seed=line["seed"], attempt=2)  # as they were
    assert tune.driver.state.runs[0].host is None


def test_other_features_are_the_nodes_fault_and_no_measurement(tmp_path: Path) -> None:
    tune = in_cluster(tmp_path, A, B)
    prepared = {"data": {"name": "digits", "fingerprint": "x"}, "floor": {"fid": 2.0}, "floor_spread": {"fid": 0.1}}
    tune.record.append("prepared", **prepared, features="convnet-1")
    attempt = begun(tune)
    assert attempt.features == "convnet-1"
    assert not tune.driver.measured(attempt, replace(FOUND, features="convnet-2"))
    lines = read(tune.record.path)[0]
    (ended,) = [line for line in lines if line["event"] == "attempt_ended"]
    assert ended["kind"] == "node"
    assert ended["why"] == "host-a: measured in convnet-2, the sweep in convnet-1"
    assert not [line for line in lines if line["event"] == "measurement"]
    assert tune.driver.measured(begun(tune), replace(FOUND, features="convnet-1"))


def test_a_worker_that_does_not_see_the_lock_takes_no_sweep_away(tmp_path: Path) -> None:
    tune = in_cluster(tmp_path, A, B)
    lock = tmp_path / "driver.lock"
    lock.write_text('{"session": "mine"}')
    folder = str(tmp_path / "trials" / "0" / "seed-1")
    attempt = replace(begun(tune), session="mine", folder=folder)
    tune.driver.faulted(attempt, "superseded", {"error": "lost the sweep"})
    assert tune.driver.stopping is None
    assert tune.driver.state.runs[0].faults == ["node"]
    other = replace(begun(tune), session="mine", folder=folder)
    lock.write_text('{"session": "another"}')
    tune.driver.faulted(other, "superseded", {"error": "lost the sweep"})
    assert tune.driver.stopping == "superseded"


def test_a_sweep_that_is_lost_in_its_storage_alone_is_lost(tmp_path: Path) -> None:
    def lost() -> None:
        raise Superseded("another driver has claimed it")

    tune = FakeTune(tmp_path, trials=1)
    given = Assignment(tmp_path, tune.record, read(tune.record.path)[0], tune.file, Nodes([A]), lost)
    driver = SearchDriver(given, 1, cuda=False)
    (tmp_path / "driver.lock").write_text('{"session": "mine"}')
    (attempt,) = job.runs if (job := driver.next_job()) else ()
    driver.started(attempt)
    folder = str(tmp_path / "trials" / "0" / "seed-1")
    driver.faulted(replace(attempt, session="mine", folder=folder), "superseded", {"error": "lost the sweep"})
    assert driver.stopping == "superseded"
    assert not [line for line in read(tune.record.path)[0] if line["event"] == "attempt_ended"]


def test_losses_with_progress_in_between_spend_no_attempts(tmp_path: Path) -> None:
    plan = {0: {at: ("lost", times) for times, at in enumerate(range(100, 501, 100), 1)}}
    tune = FakeTune(tmp_path, plan=plan, trials=1)
    (run,) = tune.go().runs
    assert (run.end_reason, run.attempt, run.faults) == ("completed", 6, ["lost"] * 5)
    assert measured_twice(read(tune.record.path)[0]) == []


@pytest.mark.parametrize("together", [1, 2])
def test_a_worker_that_says_nothing_is_overdue_after_its_own_deadline(
    together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GANSWEEP_DEADLINE", raising=False)
    clock = [0.0]
    waiting, runs = Waiting(lambda: clock[0]), [(0, each) for each in range(together)]
    assert waiting.overdue(runs) is None
    waiting.began(runs)
    for _ in range(2):
        clock[0] += 100.0
        for run in runs:
            waiting.heard(run)
    clock[0] += 20 * 100.0 + SLACK - 1
    assert waiting.overdue(runs) is None
    clock[0] += 2
    assert waiting.overdue(runs) == pytest.approx(20 * 100.0 + SLACK + 1)
    for run in runs:
        waiting.over(run)
    assert waiting.overdue(runs) is None


def test_a_further_node_is_wanted_for_runs_that_wait_in_steps_and_within_the_limit() -> None:
    nodes = Nodes([A, B])
    assert [nodes.more(waiting) for waiting in (0, 2, 100)] == [0, 2, LEAST]
    assert Nodes([Node("c", "host-c", 10)]).more(100) == 10
    assert Nodes([Node("c", "host-c", 1000)]).more(100) == MOST
    assert [Nodes([A, B], limit=limit).more(100) for limit in (2, 3, 5)] == [0, 0, 2]


def test_runs_wait_for_a_node_once_all_are_busy_until_the_last_is_handed_out(tmp_path: Path) -> None:
    tune = in_cluster(tmp_path, A, B, trials=5)
    assert tune.driver.backlog() == 0  # there is room
    runs = [begun(tune) for _ in range(3)]
    assert tune.driver.backlog() == 2
    for run in runs[:2]:
        tune.driver.ended(run, "invalid", {})
        begun(tune)
    assert tune.driver.backlog() == 0
    tune.driver.stopping = "stopped"
    assert tune.driver.backlog() == 0
