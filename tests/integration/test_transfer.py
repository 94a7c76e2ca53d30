"""A sweep that starts from a run of another one: what does not fit, or was changed since, ends it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.schema.checkpoint import find
from tests.integration.command import RAN, SWEEP, events, gansweep, state_of
from tests.integration.conftest import Finished

pytestmark = pytest.mark.slow


def test_it_goes_on_from_the_checkpoint_that_it_was_started_with(whole: Finished, tmp_path: Path) -> None:
    run = next(run for run in whole.state.runs if run.measurements)
    origin = tmp_path / "origin.pt"
    origin.write_bytes(find(whole.home / "whole" / "trials" / str(run.trial) / f"seed-{run.seed}").read_bytes())
    settings = ("--set", f"init_from.path={origin}", "--set", "init_from.freeze_discriminator=1")

    def start(name: str, *more: str) -> tuple[int, str]:
        done = gansweep(tmp_path / "home", "run", *SWEEP, *settings, *more, "--trials", "2", "--name", name)
        return done.code, done.last

    code, line = start("strict", "--set", "generator.width=16")
    assert code == 2
    assert "does not fit: generator." in line
    assert "valid: the networks that it is of, or partial: true" in line
    assert events(tmp_path / "home", "strict") == []

    code, line = start("none", "--set", "init_from.partial=true", "--set", "discriminator.width=12")
    assert code == 2
    assert "nothing of the discriminator in" in line
    assert "fits one with network dcgan, width 12" in line
    assert events(tmp_path / "home", "none") == []

    there = whole.state.trials[run.trial].spec
    same = [f"{side}.width={there[side]['width']}" for side in ("generator", "discriminator")]
    norm, objective = there["discriminator"]["norm"], there["game"]["objective"]
    same += [f"generator.norm={there['generator']['norm']}"]
    same += [f"game={{objective: {objective}, with: {{discriminator: {{norm: {norm}}}}}}}"]
    fitting = [part for setting in (*same, "latent.size=7") for part in ("--set", setting)]
    code, line = start("partial", "--set", "init_from.partial=true", *fitting)
    assert code in (0, 4), line
    state = state_of(tmp_path / "home", "partial")
    assert [run.end_reason in RAN for run in state.runs] == [True, True]
    pinned = {trial.spec["init_from"]["hash"] for trial in state.trials.values()}
    assert len(pinned) == 1

    origin.write_bytes(origin.read_bytes() + b"x")
    done = gansweep(tmp_path / "home", "resume", "partial", "--trials", "3")
    assert done.code == 2, done.err
    assert f"not {pinned.pop()}" in done.last
    assert len(state_of(tmp_path / "home", "partial").runs) == 2
