"""The best of a search is too good: what it is to be expected to come to again, and how often that holds."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.picking.expectation import expectation
from pipeline.record.state import SweepState
from pipeline.report.status import status_document
from pipeline.report.summary import summary
from tests.drivers.fake_tune import sweep_file

POINT = {"optimiser.lr_g": 1e-3, "optimiser.beta1": 0.5}


def searched(trials: Sequence[Sequence[float | None]], objective: Any = "fid") -> SweepState:
    """Each trial: what its seeds came to (None: collapsed)."""
    file = sweep_file(objective=objective)
    metric = objective if isinstance(objective, str) else objective[0]
    about = {"name": "s", "source": "test.yaml", "space": file.tree, "seed": 1, "versions": {}}
    lines: list[dict[str, Any]] = [{"event": "sweep", **about, "spec": file.sweep.model_dump(mode="json")}]
    for number, seeds in enumerate(trials):
        lines.append({"event": "trial", "trial": number, "point": POINT, "spec": {}, "source": "sampler"})
        for seed, value in enumerate(seeds):
            key = {"trial": number, "seed": seed, "attempt": 1}
            lines.append({"event": "attempt", **key})
            if value is not None:
                measured = {"images": 100, "signals": {}, "seconds": 1.0, "metrics": {metric: value}}
                lines.append({"event": "measurement", **key, **measured})
            reason = "completed" if value is not None else "collapsed"
            lines.append({"event": "run_ended", **key, "reason": reason, "evidence": {}})
    return SweepState.fold([{"v": 1, "n": n, "time": float(n), **line} for n, line in enumerate(lines)])


@pytest.mark.parametrize("noise", [0.1, 0.2, 0.3])
@pytest.mark.parametrize("seeds", [1, 2])
def test_the_truth_is_inside_the_interval_in_95_percent_of_searches(noise: float, seeds: int) -> None:
    random = np.random.default_rng(int(100 * noise) + seeds)
    inside, searched_too_good, expected_too_good, count = 0, 0.0, 0.0, 200
    for _ in range(count):
        truth = random.normal(3.5, 0.4, 10)
        tails = np.exp(truth + noise * random.normal(size=(1, 10)))
        again = np.exp(truth + noise * random.normal(size=(seeds - 1, 10)))
        first = int(tails[0].argmin())  # further seeds of the leader alone
        trials = [[*tails[:, at], *(again[:, at] if at == first else [])] for at in range(10)]
        state = searched([[float(tail) for tail in each] for each in trials])
        found, best = expectation(state), state.best_trial
        assert found is not None
        assert best is not None
        low, high = found.interval
        inside += low <= math.exp(truth[best.number]) <= high
        searched_too_good += truth[best.number] - math.log(best.tail("fid") or math.nan)
        expected_too_good += truth[best.number] - math.log(found.score)
    assert inside / count >= 0.93  # within chance of 0.95
    if noise >= 0.2:  # where seeds hardly differ it is too careful, as it cannot know that
        assert abs(expected_too_good) < 0.12 * count
    if noise == 0.3:
        assert abs(expected_too_good) < 0.5 * searched_too_good


def test_further_seeds_of_the_best_narrow_it() -> None:
    others = [[20.0], [24.0], [40.0], [55.0]]
    one, three = expectation(searched([[18.0], *others])), expectation(searched([[18.0, 19.0, 17.5], *others]))
    assert one is not None
    assert three is not None
    assert math.log(three.interval[1] / three.interval[0]) < 0.6 * math.log(one.interval[1] / one.interval[0])
    assert 18 < three.score < one.score


def test_of_a_share_it_is_known_once_further_seeds_say_how_much_they_differ() -> None:
    """Of a distance it is known how much seeds differ; of others nothing is."""
    assert expectation(searched([[0.8], [0.6], [0.5]], "coverage")) is None
    assert expectation(searched([[0.8, 0.78], [0.6], [0.5]], "coverage")) is None
    found = expectation(searched([[0.8, 0.78], [0.6, 0.63, 0.61], [0.5]], "coverage"))
    assert found is not None
    assert 0.6 < found.interval[0] < found.score < 0.79 < found.interval[1]


def test_seeds_that_are_all_the_same_are_no_certainty() -> None:
    """A share that is full is full on each seed, and the next one need not be."""
    assert expectation(searched([[1.0, 1.0, 1.0], [1.0, 1.0], [0.7]], "coverage")) is None


@pytest.mark.parametrize("trials", [[], [[None]], [[None], [None, None]], [[math.inf]], [[math.nan]]])
def test_without_a_trial_that_was_completed_there_is_none(trials: list[list[float | None]]) -> None:
    assert expectation(searched(trials)) is None


def test_a_seed_that_failed_is_no_score() -> None:
    found = expectation(searched([[18.0, None, 19.0], [20.0], [30.0]]))
    assert found is not None
    assert 15 < found.score < 25


def test_one_trial_alone_and_trials_that_are_all_the_same() -> None:
    alone, same = expectation(searched([[18.0]])), expectation(searched([[18.0], [18.0], [18.0]]))
    for found in (alone, same):
        assert found is not None
        assert found.score == pytest.approx(18.0)
        assert found.interval[0] < 18 < found.interval[1]


def test_a_pick_knows_better() -> None:
    state = searched([[10.5], [14.4], [19.0]])
    fresh = {"trial": 0, "seed": 100, "attempt": 1}
    for line in (
        {"event": "pick", "top": 1, "seeds": 2, "finalists": {"0": ["top 1"]}},
        {"event": "attempt", **fresh, "replicate": 1000},
        {"event": "run_ended", **fresh, "reason": "collapsed", "evidence": {}},
    ):
        assert expectation(state) is not None
        state.apply({"v": 1, "n": 99, "time": 99.0, **line})
    assert expectation(state) is None


def test_it_is_said_where_the_best_is(tmp_path: Path) -> None:
    state = searched([[10.5], [14.4], [19.0], [19.8], [28.2], [28.7], [30.2], [38.2]])
    found = expectation(state)
    assert found is not None
    (line,) = [line for line in summary(state) if line.startswith("to be expected of it on further seeds: ")]
    assert line.startswith(f"to be expected of it on further seeds: {found.score:.3g} (95%: ")
    assert line.endswith("), if healthy")
    said = status_document(state, tmp_path, {}, 0)["expected"]
    assert said == {"score": found.score, "interval": found.interval}
