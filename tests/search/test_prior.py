"""Proposals around what is known: how often, how near, and that a prior which misleads is left."""

import math
import re
import statistics

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.schema.sweep import PriorSpec, SearchSpec
from pipeline.search.feasibility import Feasibility
from pipeline.search.prior import INCUMBENT, KNOWN_GOOD, PRIOR, SAMPLER, Known, Mixture
from pipeline.search.sampler import Outcome, Sampler
from pipeline.search.units import nearby
from pipeline.space.load import from_tree
from pipeline.space.tree import Space
from tests.drivers.fake_tune import TREE
from tests.search.conftest import KNOWN_GOOD as POINT

RATES = Space.parse(
    {
        "lr_g": {"log": [1e-5, 1e-1]},
        "lr_d": {"log": [1e-5, 1e-1]},
        "norm": {"choice": ["none", "batch", "spectral"]},
        "width": {"choice": [16, 32, 64, 128]},
        "steps": {"int": [1, 5]},
        "beta": {"uniform": [0, 0.9]},
    },
    "test.yaml",
)
GOOD = {"lr_g": 2e-4, "lr_d": 1e-4, "norm": "batch", "width": 32, "steps": 1, "beta": 0.5}
MISLEADING = {"lr_g": 4e-2, "lr_d": 4e-2, "norm": "none", "width": 16, "steps": 5, "beta": 0.9}  # two decades off


def worth(point: dict) -> float:
    """Less is better; the best is 20, of rates of 1e-3 and 3e-4."""
    away = (math.log10(point["lr_g"]) + 3) ** 2 + (math.log10(point["lr_d"]) + 3.5) ** 2 + (point["beta"] - 0.3) ** 2
    away += {"none": 1.2, "batch": 0.2, "spectral": 0.0}[point["norm"]]
    away += {16: 0.8, 32: 0.2, 64: 0.0, 128: 0.6}[point["width"]] + 0.2 * abs(point["steps"] - 2)
    return 20 * math.exp(0.5 * away)


def outcome(point: dict) -> Outcome:
    """Large rates collapse."""
    return (
        Outcome("collapsed", None) if max(point["lr_g"], point["lr_d"]) > 2e-2 else Outcome("completed", worth(point))
    )


def best_of(known: dict, trials: int, seed: int, prior: PriorSpec | None) -> float:
    sampler = Sampler(RATES, SearchSpec(seed=seed, prior=prior), True, Known([known]))
    found = []
    for number in range(trials):
        point, _ = sampler.ask(number)
        told = outcome(point)
        sampler.tell(number, told)
        found += [told.result] if told.result is not None else []
    return min(found)


def median_of(known: dict, trials: int, prior: PriorSpec | None) -> float:
    return statistics.median(best_of(known, trials, seed, prior) for seed in range(12))


def test_a_known_configuration_helps_a_short_search():
    with_it, alone = (median_of(GOOD, 12, prior) - 20 for prior in (PriorSpec(), None))
    assert with_it < 0.9 * alone


@pytest.mark.slow
def test_a_misleading_one_costs_little_in_the_end():
    assert median_of(MISLEADING, 40, PriorSpec()) < 1.15 * median_of(MISLEADING, 40, None)


def mixture(weight: float = 0.5) -> Mixture:
    return Mixture(RATES, PriorSpec(weight=weight), Known([GOOD]), minimise=True)


def told(*values: float | None) -> dict[int, Outcome]:
    return {
        number: Outcome("collapsed", None) if value is None else Outcome("completed", value)
        for number, value in enumerate(values)
    }


def test_without_evidence_the_spec_says_who_proposes():
    assert mixture(0.3).shares([], {}) == pytest.approx({SAMPLER: 0.7, PRIOR: 0.3})


def test_incumbents_have_their_turn_as_soon_as_there_are_some():
    sources, values = [KNOWN_GOOD, *[SAMPLER] * 7], [30, 50, 40, 45, 60, 35, 70]
    assert INCUMBENT not in mixture().shares(sources, told(*values, None))  # the best of a few is luck
    assert mixture().shares(sources, told(*values, 55))[INCUMBENT] > 0.3


def test_who_fails_has_fewer_turns():
    sources = [KNOWN_GOOD, *[PRIOR, SAMPLER] * 4]
    good, bad = [20.0, None] * 4, [None, 20.0] * 4
    helped, misled = (mixture().shares(sources, told(30, *values)) for values in (good, bad))
    assert helped[PRIOR] > 5 * helped[SAMPLER]
    assert misled[SAMPLER] > 5 * misled[PRIOR]
    crashed = {number: Outcome("crashed", None) for number in range(1, 9)}  # nobody knows whose fault it was
    assert mixture().shares(sources, crashed) == pytest.approx(mixture().shares([], {}))


def test_a_proposal_is_as_near_as_the_width_says(space):
    random, centre = np.random.default_rng(0), space.fixed(POINT)[0]
    for width in (0.02, 0.2):
        points = [nearby(space, centre, width, random) for _ in range(400)]
        rates = [math.log10(point["lr"] / centre["lr"]) / 3 for point in points]  # of three decades
        assert statistics.pstdev(rates) == pytest.approx(width, rel=0.25)
        changed = sum(point["width"] != centre["width"] for point in points) / len(points)
        assert changed == pytest.approx(width, abs=0.07)
    assert {point["regularisers"] for point in points} == {"none", "r1", "gp"}  # what a new branch has is drawn
    for point in points:
        assert space.fixed(point)[0] == point


def test_it_is_where_a_known_configuration_is():
    assert from_tree(TREE, "t").sweep.search.prior == PriorSpec()
    assert from_tree(TREE | {"search": {"sampler": "random"}}, "t").sweep.search.prior is None
    assert from_tree({**TREE, "known_good": []}, "t").sweep.search.prior is None
    for given, said in (
        ({"known_good": []}, "search.prior: found without known_good points; valid: null, or such points"),
        ({"objective": ["fid", "kid"]}, "search.prior: found with several objectives; valid: null"),
    ):
        with pytest.raises(InputError, match=re.escape(said)):
            from_tree({**TREE, **given, "search": {"prior": {"width": 0.1}}}, "t")
    for wrong in ({"width": 0}, {"width": 1.5}, {"weight": 1}, {"weight": 0}):
        with pytest.raises(InputError, match=r"search\.prior"):
            from_tree({**TREE, "search": {"prior": wrong}}, "t")


def test_failure_is_learnt_from_the_first_one_on():
    high, low = GOOD | {"lr_g": 6e-2}, GOOD | {"lr_g": 3e-5}
    assert Feasibility(RATES, [GOOD], []).failure(high) == 0
    after_one = Feasibility(RATES, [GOOD], [high])
    assert 0.6 < after_one.failure(high | {"lr_g": 5e-2}) < 0.99
    assert after_one.failure(low) < 0.5
    drawn = [nearby(RATES, {}, 0.1, np.random.default_rng(seed)) for seed in range(60)]
    failed = [point for point in drawn if outcome(point).failure]
    learnt = Feasibility(RATES, [point for point in drawn if point not in failed], failed)
    fresh = [nearby(RATES, {}, 0.1, np.random.default_rng(seed)) for seed in range(100, 200)]
    said = {failed: [] for failed in (True, False)}
    for point in fresh:
        said[bool(outcome(point).failure)].append(learnt.failure(point))
    assert statistics.fmean(said[True]) > statistics.fmean(said[False]) + 0.2
