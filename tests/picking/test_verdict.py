"""What a pick says, also of a metric where more is better: signs, units, and words."""

from collections.abc import Sequence
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from pipeline.picking.standing import FRESH
from pipeline.picking.verdict import Verdict, verdict
from pipeline.record.state import SweepState
from pipeline.report.best_yaml import best_yaml
from pipeline.report.pick_tables import table
from pipeline.report.verdict import conclusions
from pipeline.space import yaml
from tests.drivers.fake_tune import sweep_file

POINT = {"optimiser.lr_g": 1e-3, "optimiser.beta1": 0.5}


def picked(objective: str, finalists: Sequence[tuple[float, Sequence[float | None]]]) -> SweepState:
    """Each finalist: what the search found, and what fresh seeds did (None: collapsed)."""
    file = sweep_file(objective=objective)
    spec = file.sweep.model_dump(mode="json")
    lines: list[dict[str, Any]] = [
        {
            "event": "sweep",
            "name": "s",
            "source": "test.yaml",
            "space": file.tree,
            "seed": 1,
            "spec": spec,
            "versions": {},
        },
    ]
    for number, (searched, fresh) in enumerate(finalists):
        source = "sampler" if number else "known_good"
        lines.append({"event": "trial", "trial": number, "point": POINT, "spec": {}, "source": source})
        runs = [(1, None, searched), *((100 + at, FRESH + at, value) for at, value in enumerate(fresh))]
        for seed, replicate, value in runs:
            key = {"trial": number, "seed": seed, "attempt": 1}
            found = {"metrics": {objective: value}, "test": {} if replicate is None else {objective: value}}
            lines.append({"event": "attempt", **key, **({} if replicate is None else {"replicate": replicate})})
            if value is not None:
                lines.append({"event": "measurement", **key, "images": 100, "signals": {}, "seconds": 1.0, **found})
            reason = "completed" if value is not None else "collapsed"
            lines.append({"event": "run_ended", **key, "reason": reason, "evidence": {}})
    why = {str(number): [f"top {number}"] if number else ["default"] for number in range(len(finalists))}
    seeds = max(len(fresh) for _, fresh in finalists)
    lines.append({"event": "pick", "top": 1, "seeds": seeds, "finalists": why})
    return SweepState.fold([{"v": 1, "n": n, "time": float(n), **line} for n, line in enumerate(lines)])


def said(objective: str, *finalists: tuple[float, Sequence[float | None]]) -> tuple[Verdict, str]:
    state = picked(objective, finalists)
    found = verdict(state)
    return found, "\n".join(conclusions(found, state))


def test_more_coverage_is_better_and_a_difference_is_in_its_own_units() -> None:
    found, words = said("coverage", (0.5, [0.50, 0.52, 0.49]), (0.9, [0.80, 0.79, 0.82]))
    assert [row.trial for row in found.rows] == [1, 0]
    difference = found.best.versus_default
    assert difference is not None
    assert difference.better == pytest.approx(0.8033 - 0.5033, abs=1e-3)
    low, high = difference.interval  # type: ignore[misc]
    assert 0 < low < difference.better < high
    assert not difference.noise
    assert found.optimism == pytest.approx(0.9 - 0.8033, abs=1e-3)
    assert "against the default configuration: 0.3 better than the default (95%: " in words
    assert "scored 0.9 there and 0.803 on fresh seeds of the same data part (0.0965 worse)" in words


def test_less_fid_is_better_and_its_interval_is_that_of_a_factor() -> None:
    found, words = said("fid", (20.0, [24.0, 26.0, 25.0]), (15.0, [20.0, 19.5, 21.0]))
    assert found.best.trial == 1
    assert found.best.versus_default.better == pytest.approx(25 - 20.2, abs=0.2)  # type: ignore[union-attr]
    low, high = found.best.interval  # type: ignore[misc]
    assert found.best.score**2 == pytest.approx(low * high)  # type: ignore[operator]
    assert "picked: trial 1 (top 1), fid 20.2 on the test part" in words
    assert "3 of 3 fresh seeds healthy (95% interval of the share 46% to 100%)" in words


def test_the_pick_is_the_one_that_its_own_table_speaks_for() -> None:
    default = (29.0, [34.2, 37.5, 26.0, 30.1, 33.3])
    good = (14.0, [30.7, 29.8, 11.6, 19.5, 12.1])
    steady = (17.0, [27.9, 31.0, 19.0, 23.9, 23.7])
    found, words = said("fid", default, good, steady)
    assert [row.trial for row in found.rows] == [1, 2, 0]
    assert found.best.probability_best == max(row.probability_best for row in found.rows)
    regrets = [row.regret for row in found.rows]
    assert regrets == sorted(regrets)
    assert 0 < regrets[0] < 1.5 < regrets[2] < 40  # FID
    assert f"expected regret of taking it: {regrets[0]:.3g} fid" in words
    assert "not taken" not in words
    assert "more often the best" not in words
    assert found.document()["rows"][0]["regret"] == regrets[0]


def test_one_that_is_dominated_is_not_taken_and_that_is_said() -> None:
    high = [(50.0, [base * factor for factor in (1.0, 1.1, 1.2, 1.3, 1.4)]) for base in (200.0, 600.0, 1800.0)]
    found, words = said("fid", (10.0, [1.0, 1.0, 10.0, 10.0, 10.1]), (9.0, [9.9, 9.9, 9.9, 10.0, 10.0]), *high)
    assert [row.trial for row in found.rows] == [1, 0, 2, 3, 4]
    assert found.rows[1].regret < found.rows[0].regret
    assert "not taken though of less expected regret: trial 0; another one is as good or better in median" in words


@pytest.mark.parametrize(("width", "columns"), [(80, ["regret"]), (100, ["regret", "searched", "finalist as"])])
def test_the_table_has_the_regret_and_fits(width: int, columns: list[str]) -> None:
    found, _ = said("fid", (20.0, [24.0, 26.0, 25.0]), (15.0, [20.0, 19.5, 21.0]))
    console = Console(width=width, record=True, file=StringIO())
    console.print(table(found, width))
    lines = console.export_text().splitlines()
    assert all(name in lines[1] for name in ["trial", "healthy", "score", "95%", "P(best)", *columns])
    assert max(map(len, lines)) <= width
    assert [line.split()[0] for line in lines[2:]] == ["1", "0"]


def test_what_is_within_noise_is_called_so() -> None:
    _, words = said("fid", (20.0, [24.0, 21.0, 26.0]), (15.0, [20.0, 25.0, 23.0]))
    assert "not shown to be better than the default" in words
    assert "within seed noise of trial 1: trial 0" in words


def test_one_that_left_the_race_is_no_rival_and_that_is_said() -> None:
    """As `gansweep pick demo` had it: a probability of 1.00, and two of three seeds "within seed noise"."""
    best = (17.0, [17.1, 18.4, 19.9, 18.2, 18.8])
    found, words = said("fid", (25.0, [29.0, 27.0, 28.0, 31.0, 26.0]), best, (16.0, [30.0, 18.0, 36.0]))
    assert [(row.trial, row.racing) for row in found.rows] == [(1, True), (0, False), (2, False)]
    assert found.rows[2].versus_best.noise  # type: ignore[union-attr]
    assert "within seed noise" not in words
    assert "the seeds that they share with trial 1 alone do not show it: trial 2" in words


def test_the_default_can_be_the_pick() -> None:
    found, words = said("fid", (20.0, [24.0, 24.5, 25.0]), (15.0, [None, 19.5, None]))
    assert found.best.trial == 0
    assert "the default configuration (trial 0) is the pick" in words
    assert "its best, trial 1, scored 15 there and 19.5 on fresh seeds" in words


def test_best_yaml_is_what_was_picked_with_its_evidence_in_comments() -> None:
    state = picked("fid", [(20.0, [24.0, 26.0, 25.0]), (15.0, [20.0, 19.5, 21.0])])
    text = best_yaml(state)
    assert text is not None
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert any("one new seed: fid tail" in line and "(90%)" in line for line in comments)
    tree = yaml.parse(text, "best.yaml")
    assert tree["optimiser"] == {"lr_g": 1e-3, "beta1": 0.5}
    assert tree["objective"] == "fid"
    assert "search" not in tree
