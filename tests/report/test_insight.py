"""What a sweep says of its own space: ranges that are too narrow, and parameters that mattered."""

from typing import Any

import pytest

from pipeline.record.state import SweepState
from pipeline.report.insight import edges, insight
from pipeline.search.importance import importances
from pipeline.space.load import from_tree
from tests.drivers.fake_tune import TREE

SPACE = {
    "optimiser": {"lr_g": {"log": [1e-5, 1e-2]}, "lr_d": {"log": [1e-5, 1e-2]}, "beta1": {"uniform": [0, 0.9]}},
    "generator": {"network": "dcgan", "width": {"int": [8, 48]}},
    "regularisers": {"choice": {"none": {}, "r1": {"r1": {"weight": {"log": [0.1, 10]}}}}},
    "known_good": [],
}
MIDDLE = {
    "optimiser.lr_g": 3e-4,
    "optimiser.lr_d": 3e-4,
    "optimiser.beta1": 0.5,
    "generator.width": 32,
    "regularisers": "r1",
    "regularisers[r1].r1.weight": 1.0,
}
FILE = from_tree(TREE | SPACE, "test.yaml")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"optimiser.lr_d": 9.8e-3}, ["widen optimiser.lr_d upwards (0.0098 of 1e-05 to 0.01 (log))"]),
        ({"optimiser.lr_g": 1.2e-5}, ["widen optimiser.lr_g downwards (1.2e-05 of 1e-05 to 0.01 (log))"]),
        ({"optimiser.lr_g": 2e-5}, []),
        ({"generator.width": 48}, ["widen generator.width upwards (48 of an integer from 8 to 48)"]),
        ({"regularisers[r1].r1.weight": 10.0}, ["widen regularisers.r1.weight upwards (10 of 0.1 to 10 (log))"]),
        ({"optimiser.beta1": 0.0}, []),  # nothing below 0 would be valid
    ],
)
def test_a_value_at_the_end_of_its_range_is_flagged(changes: dict[str, Any], expected: list[str]) -> None:
    assert edges(FILE.space, MIDDLE | changes) == expected


def sweep(count: int, **signals: float) -> SweepState:
    """Trials whose score follows from lr_g alone; every fourth one collapses, at a great lr_g."""
    lines: list[dict[str, Any]] = [
        {"event": "sweep", "name": "s", "source": "test.yaml", "space": FILE.tree, "seed": 1, "versions": {}},
    ]
    lines[0]["spec"] = FILE.sweep.model_dump(mode="json")
    for number in range(count):
        rate = 1e-5 * 10 ** (3 * (number * 7 % count) / count)
        point = MIDDLE | {"optimiser.lr_g": rate, "optimiser.lr_d": 1e-5 * 10 ** (3 * (number * 3 % count) / count)}
        key = {"trial": number, "seed": 1, "attempt": 1}
        lines += [
            {"event": "trial", "trial": number, "point": point, "spec": {}, "source": "sampler"},
            {"event": "measurement", **key, "images": 100, "metrics": {"fid": rate}, "signals": signals, "seconds": 1},
            {"event": "run_ended", **key, "reason": "collapsed" if rate > 5e-3 else "completed", "evidence": {}},
        ]
    return SweepState.fold([{"v": 1, "n": n, "time": float(n), **line} for n, line in enumerate(lines)])


def test_the_parameter_that_decides_matters_most() -> None:
    found = importances(sweep(24), FILE.space)
    assert next(iter(found)) == "optimiser.lr_g"
    assert found["optimiser.lr_g"] > 0.4
    assert sum(found.values()) == pytest.approx(1)
    assert found == importances(sweep(24), FILE.space)


def test_a_few_trials_say_nothing_of_what_mattered() -> None:
    assert importances(sweep(11), FILE.space) == {}
    assert insight(sweep(11), None) == []


def test_it_is_said_in_lines_that_name_the_evaluator() -> None:
    state = sweep(24)
    lines = insight(state, 0)
    assert lines[0].startswith("trial 0 stands at the end of a range: widen optimiser.lr_g downwards (1e-05 of")
    assert lines[1].startswith("what mattered: optimiser.lr_g")
    assert "PED-ANOVA by Optuna" in lines[1]
    assert "no seed" in lines[1]


@pytest.mark.parametrize(("share", "said"), [(0.93, True), (0.6, False)])
def test_a_discriminator_that_knows_its_data_by_heart_is_said(share: float, said: bool) -> None:
    lines = insight(sweep(8, discriminator_overfit=share), 3)
    assert any("by heart (it prefers them to held-out ones in 93% of pairs)" in line for line in lines) is said
