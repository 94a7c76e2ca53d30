"""The same command started again while the first one prepares: one of them runs, and loses nothing by the others."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.integration.command import SWEEP, Running, events, state_of

AWAY = ("--tracking-uri", "http://127.0.0.1:9")  # nobody listens there
# Seconds after the first start, and what is added: the second at once, so that either of the two may be the one.
STARTS: tuple[tuple[float, tuple[str, ...]], ...] = ((0.0, ()), (0.3, AWAY), (1.0, ()), (3.0, AWAY), (8.0, ()))


@pytest.mark.slow
def test_of_the_same_command_started_several_times_one_runs_to_its_end(tmp_path: Path) -> None:
    command = ("run", *SWEEP, "--name", "one", "--trials", "2", "--set", "budget.images=4000")
    began = time.monotonic()
    started = [Running(tmp_path, *command)]
    for after, more in STARTS:
        time.sleep(max(0.0, began + after - time.monotonic()))
        started.append(Running(tmp_path, *command, *more))
    done = [each.wait() for each in started]
    ran = [each for each in done if each.code in (0, 4)]
    assert len(ran) == 1, [each.last for each in done]
    for each in done:
        if each not in ran:
            assert each.code == (3 if "127.0.0.1:9" in each.last else 2), each.err
            assert "driven by process" in each.last or "is taken" in each.last or "127.0.0.1:9" in each.last
    state = state_of(tmp_path, "one")
    assert [trial.state for trial in state.trials.values()] == ["finished", "finished"]
    assert state.searching == "finished"
    assert sum(line["event"] == "driver" for line in events(tmp_path, "one")) == 2
    assert {"sweep.yaml", "log.txt", "events.jsonl"} <= {path.name for path in (tmp_path / "one").iterdir()}
