"""What a sweep has spent: by attempt, also of one that was killed, and on what."""

import math
from typing import Any

import pytest

from pipeline.record.state import SweepState
from pipeline.report.spending import spending, spent, too_much_evaluation

START = 1000.0
KEY = {"seed": 7, "attempt": 1}


def state(*lines: tuple[float, str, dict[str, Any]], gpus: float = 0.0) -> SweepState:
    """Folds lines (time, event, fields) after the first ones of a sweep with two slots."""
    spec = {"objective": "fid", "search": {}}
    began = [
        (0.0, "sweep", {"name": "s", "space": {}, "spec": spec, "seed": 1, "source": "s", "versions": {}}),
        (0.0, "driver", {"session": "a", "state": "started", "slots": 2, "launch": {"gpus_per_trial": gpus}}),
        *[(0.0, "trial", {"trial": n, "point": {}, "spec": {}, "source": "sampler"}) for n in range(2)],
    ]
    said = enumerate([*began, *lines])
    return SweepState.fold({"n": n, "time": START + time, "event": event, **each} for n, (time, event, each) in said)


def measured(time: float, trial: int, images: int, train: float) -> tuple[float, str, dict[str, Any]]:
    fields = {"images": images, "metrics": {"fid": 1.0}, "signals": {}, "seconds": 1.0}
    timings = {"train": train, "evaluate": 1.0, "checkpoint": 0.5}
    return time, "measurement", {"trial": trial, **KEY, **fields, "timings": timings}


def test_an_attempt_counts_until_it_ends_and_one_that_was_killed_until_the_last_line() -> None:
    attempt, ended = (1.0, "attempt", {"trial": 0, **KEY}), {"trial": 0, **KEY, "reason": "completed", "evidence": {}}
    found = state(attempt)
    assert (found.spent(), found.spent(now=START + 4.0)) == (0.0, 3.0)
    assert state(attempt, (11.0, "run_ended", ended)).spent(now=START + 99.0) == 10.0
    killed = state(
        attempt, measured(6.0, 0, 10, 4.0), (1000.0, "driver", {"session": "b", "state": "started", "slots": 2})
    )
    assert killed.spent(now=START + 2000.0) == 5.0
    lost = (3.0, "attempt_ended", {"trial": 0, **KEY, "why": "gone"})
    again = (5.0, "attempt", {"trial": 0, **KEY, "attempt": 2})
    assert state(attempt, lost, again).spent(now=START + 6.0) == 3.0


def test_a_share_of_a_gpu_counts_as_that_share() -> None:
    assert state((1.0, "attempt", {"trial": 0, **KEY}), gpus=0.5).spent(now=START + 5.0) == 2.0


@pytest.mark.parametrize(("gpus", "unit"), [(0.0, "core-hours"), (0.5, "GPU-hours")])
def test_what_it_was_spent_on(gpus: float, unit: str) -> None:
    lines = [(2.0, "attempt", {"trial": n, **KEY}) for n in range(2)]
    lines += [measured(12.0, 0, 10, 8.0), measured(12.0, 1, 10, 6.0)]
    for number, reason in enumerate(("completed", "rung")):
        lines.append((12.0, "run_ended", {"trial": number, **KEY, "reason": reason, "evidence": {}}))
    found = state(*lines, (20.0, "driver", {"session": "a", "state": "finished"}), gpus=gpus)
    parts = spent(found)
    assert (parts.well, parts.stopped, parts.evaluation) == (8.0, 6.0, 3.0)
    assert math.isclose(parts.total, 2 * 20.0)
    line = spending(found)
    assert unit in line
    assert "20% runs that ended well, 15% stopped runs, 8% evaluation, 57% overhead" in line


def test_before_anything_there_is_nothing() -> None:
    assert spending(state()) == "nothing was spent"


def test_evaluations_that_take_too_much_are_said_with_what_would_keep_to_their_share() -> None:
    assert too_much_evaluation(1.0, 19.0, 6_000, 0.05) is None
    said = too_much_evaluation(1.0, 4.0, 6_000, 0.05)
    assert said == "20% of a run's time, over 5%: evaluation.every 29,000 keeps to it"
    assert too_much_evaluation(1.0, 4.0 * 29_000 / 6_000, 29_000, 0.05) is None  # and it does
    assert too_much_evaluation(3.0, 1.0, 10, 0.5) == "75% of a run's time, over 50%: evaluation.every 30 keeps to it"
