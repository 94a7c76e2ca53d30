"""Parts of the user's own, all kinds at once, in a real sweep on Ray's workers; a wrong one ends it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.sweeps.sweep import Sweep
from tests.conformance.test_training import OWN
from tests.games.test_own_parts import SPACE
from tests.integration.command import events, gansweep

pytestmark = pytest.mark.slow


def test_they_reach_the_workers_and_the_metric_decides(tmp_path: Path) -> None:
    home, rules = tmp_path / "home", "health={low_diversity: null, lost_coverage: null, flat_output: null}"
    (tmp_path / "x.yaml").write_text(SPACE.replace('"own_parts.py', f'"{OWN.parent}/own_parts.py'))
    done = gansweep(home, "run", str(tmp_path / "x.yaml"), "--trials", "3", "--concurrency", "1", "--set", rules)
    assert done.code == 0, done.err
    state = Sweep.open("x", home=home).state()
    assert len(state.runs) == 3
    assert all(run.end_reason in ("completed", "rung", "discriminator_won") for run in state.runs)
    values = [value for _, value in state.runs[0].values("spread")]
    assert state.runs[0].best("spread")[1] == max(values)  # type: ignore[index]
    ranked = [trial.tail("spread") for trial in state.ranking() if trial.end_reason == "completed"]
    assert ranked == sorted(ranked, reverse=True)


def test_a_wrong_one_is_one_line_and_no_trial(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def spread(evaluated): return 'good'\n")
    home, text = tmp_path / "home", SPACE.replace('"own_parts.py', f'"{OWN.parent}/own_parts.py')
    (tmp_path / "x.yaml").write_text(text.replace(f"{OWN}:spread", f"{tmp_path}/mine.py:spread"))
    done = gansweep(home, "run", str(tmp_path / "x.yaml"), "--trials", "1")
    assert done.code == 2, done.err
    assert "returned a str; valid: a number" in done.last
    assert "Traceback" not in done.err
    assert events(home, "x") == []
