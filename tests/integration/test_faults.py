"""A sweep stopped in every way that there is, and gone on with: it comes to what an undisturbed one does."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from pipeline.record.events import Line
from pipeline.seeds import run_seed
from tests.integration.command import (
    INTERRUPT,
    KILL,
    RAN,
    SEED,
    SWEEP,
    TERMINATE,
    TRIALS,
    Done,
    Running,
    events,
    found,
    gansweep,
    made_twice,
    measured,
    state_of,
)
from tests.integration.conftest import Finished

pytestmark = pytest.mark.slow

NAME = "stopped"


def measurements(lines: list[Line]) -> int:
    return sum(line["event"] == "measurement" for line in lines)


@dataclass
class Stop:
    """One launch that was stopped: how it ended, what ran on after it, and the sweep's state to the outside."""

    done: Done
    left_behind: list[str]
    state: str
    lines: list[Line]


@dataclass
class Story:
    stops: dict[str, Stop] = field(default_factory=dict)
    refusals: dict[str, Done] = field(default_factory=dict)
    pid: int = 0
    end: Done | None = None


def further(running: Running, before: int) -> None:
    """Waits until this launch has measured something itself."""
    running.until(NAME, lambda lines: measurements(lines) > before)


def stop(home: Path, running: Running, number: int, group: bool = False) -> Stop:
    done = running.signal(number, group)
    left, status = running.left_behind(agents=number != KILL), gansweep(home, "status", NAME, "--json")
    return Stop(done, left, status.document["state"], events(home, NAME))


@pytest.fixture(scope="module")
def story(home: Path, whole: Finished) -> Story:
    """Run and stopped by Ctrl-C, by `stop`, by SIGKILL and by SIGTERM, each time in the middle of a run; then
    left alone to its end."""
    story = Story()
    running = Running(home, "run", *SWEEP, "--name", NAME)
    running.until(NAME, lambda lines: measured(lines, trial=1))
    story.stops["ctrl-c"] = stop(home, running, INTERRUPT, group=True)

    before = measurements(events(home, NAME))
    running = Running(home, "resume", NAME)
    story.pid = running.pid
    running.until(NAME, lambda lines: (home / NAME / "driver.lock").exists())
    said = {"resume": ("resume", NAME), "run": ("run", *SWEEP, "--name", NAME), "status": ("status", NAME, "--json")}
    with ThreadPoolExecutor() as pool:  # all at once, or the sweep would be at its end
        asked = {name: pool.submit(gansweep, home, *arguments) for name, arguments in said.items()}
        story.refusals |= {name: answer.result() for name, answer in asked.items()}
    further(running, before)
    running.look()
    story.refusals["stop"] = gansweep(home, "stop", NAME)
    done = running.wait()
    status = gansweep(home, "status", NAME, "--json")
    story.stops["stop"] = Stop(done, running.left_behind(), status.document["state"], events(home, NAME))
    story.refusals["stop again"] = gansweep(home, "stop", NAME)

    for name, number in (("kill", KILL), ("terminate", TERMINATE)):
        before = measurements(events(home, NAME))
        running = Running(home, "resume", NAME)
        further(running, before)
        story.stops[name] = stop(home, running, number)
        if name == "kill":
            killed = running
    story.end = gansweep(home, "resume", NAME, "--json")
    story.stops["kill"].left_behind += killed.left_behind()
    return story


@pytest.mark.parametrize("how", ["ctrl-c", "stop", "terminate"])
def test_a_stopped_sweep_ends_at_once_and_says_how_to_go_on(story: Story, how: str) -> None:
    done = story.stops[how].done
    assert done.code == 130, done.err
    assert f"gansweep resume {NAME}" in done.last
    assert "Traceback" not in done.err
    print(f"{how}: ended {done.seconds:.1f} s after the signal")


def test_a_killed_driver_says_nothing(story: Story) -> None:
    assert story.stops["kill"].done.code == -KILL


@pytest.mark.parametrize("how", ["ctrl-c", "stop", "kill", "terminate"])
def test_nothing_is_left_running_after_a_stop(story: Story, how: str) -> None:
    assert story.stops[how].left_behind == []
    assert story.stops[how].state == "interrupted"


def test_each_stop_was_in_the_middle(story: Story) -> None:
    """Of the sweep; and of a run, but for one at most: a run may end while the command `stop` is still starting."""
    within_a_run = 0
    for stopped in story.stops.values():
        ended = {line["trial"] for line in stopped.lines if line["event"] == "run_ended"}
        assert len(ended) < TRIALS
        within_a_run += bool({line["trial"] for line in stopped.lines if line["event"] == "trial"} - ended)
    assert within_a_run >= len(story.stops) - 1 == 3


def test_it_comes_to_what_an_undisturbed_sweep_does(story: Story, home: Path, whole: Finished) -> None:
    assert story.end is not None
    assert story.end.code == 0, story.end.err
    assert story.end.document["state"] == "finished"
    assert found(state_of(home, NAME)) == found(whole.state)


def test_no_finished_run_was_run_again_and_nothing_is_recorded_twice(story: Story, home: Path) -> None:
    lines = events(home, NAME)
    assert made_twice(lines) == []
    starts = [line for line in lines if line["event"] == "driver" and line["state"] == "started"]
    assert len(starts) == 5
    assert [bool(line["taken_over"]) for line in starts] == [False, False, False, True, False]
    assert max(line["attempt"] for line in lines if line["event"] == "attempt") >= 2


def test_mlflow_has_each_trial_once_and_every_point(story: Story, home: Path, whole: Finished) -> None:
    import mlflow

    assert story.end is not None
    client = mlflow.MlflowClient(f"sqlite:///{home.resolve()}/mlflow.db")
    trials = story.end.document["trials"]
    run = client.get_run(trials[0]["mlflow_run_id"])
    children = client.search_runs(
        [run.info.experiment_id], filter_string=f"tags.`mlflow.parentRunId` = '{run.data.tags['mlflow.parentRunId']}'"
    )
    assert {child.info.run_id for child in children} == {trial["mlflow_run_id"] for trial in trials}
    assert {child.info.status for child in children} == {"FINISHED"}
    for trial in whole.state.trials.values():
        history = client.get_metric_history(trials[trial.number]["mlflow_run_id"], "fid")
        assert [(p.step, p.value) for p in history] == trial.first.values("fid")  # type: ignore[union-attr]


def test_a_second_driver_is_refused_with_the_holders_name(story: Story) -> None:
    refused = story.refusals["resume"]
    assert refused.code == 2
    assert f"driven by process {story.pid}" in refused.last
    assert "Traceback" not in refused.err


def test_a_name_that_is_taken_is_refused_with_both_ways_out(story: Story) -> None:
    refused = story.refusals["run"]
    assert refused.code == 2
    assert refused.err.count("\n") == 1
    assert f"gansweep resume {NAME}" in refused.last
    assert f"--name {NAME}-2" in refused.last


def test_a_sweep_at_work_says_so(story: Story) -> None:
    assert story.refusals["status"].document["state"] == "running"
    assert story.refusals["stop"].code == 0
    assert story.refusals["stop again"].code == 2
    assert "is not running" in story.refusals["stop again"].last


def workers(running: Running) -> list[psutil.Process]:
    """Those that hold a run; Ray's own agent is called ray::RuntimeEnvAgent."""
    return [process for process in running.look() if re.match(r"ray::Trainable", " ".join(process.cmdline()))]


@pytest.fixture(scope="module")
def battered(home: Path, whole: Finished) -> tuple[Done, str]:
    """Its first run's worker is killed in the middle; its second run finds a file where a folder must be."""
    name = "battered"
    running = Running(home, "run", *SWEEP, "--trials", "3", "--name", name, "--json")
    running.until(name, lambda lines: measured(lines, trial=0, times=1))
    run = home / name / "trials" / "1" / f"seed-{run_seed(SEED, 0)}"
    run.mkdir(parents=True)
    (run / "samples").write_text("in the way")
    running.until(name, lambda lines: measured(lines, trial=0, times=2))
    (worker,) = workers(running)
    worker.kill()
    return running.wait(), name


def test_a_run_whose_worker_was_killed_goes_on_from_its_checkpoint(
    battered: tuple[Done, str], home: Path, whole: Finished
) -> None:
    done, name = battered
    assert done.code == 0, done.err
    lines = [line for line in events(home, name) if line.get("trial") == 0]
    assert [line["attempt"] for line in lines if line["event"] == "attempt"] == [1, 2]
    (lost,) = [line for line in lines if line["event"] == "attempt_ended"]
    assert lost["attempt"] == 1
    assert lost["why"]
    assert made_twice(lines) == []
    assert {line["attempt"] for line in lines if line["event"] == "measurement"} == {1, 2}
    assert found(state_of(home, name))[0] == found(whole.state)[0]


def test_a_crash_in_a_run_is_its_end_reason_and_the_next_one_goes_on(battered: tuple[Done, str], home: Path) -> None:
    done, name = battered
    trials = done.document["trials"]
    assert trials[1]["end_reason"] == "crashed"
    assert "FileExistsError" in trials[1]["evidence"]["error"]
    traceback = home / name / "trials" / "1" / f"seed-{run_seed(SEED, 0)}" / trials[1]["evidence"]["traceback"]
    assert "Traceback (most recent call last)" in traceback.read_text()
    assert trials[2]["end_reason"] in RAN
    assert "Traceback" not in done.err
    assert "trial 1: crashed" in done.err
