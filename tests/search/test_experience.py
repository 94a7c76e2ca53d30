"""Draws with rates at which GANs train: where they are, where they say nothing, and how long they have their turn."""

import math
import statistics

import numpy as np
import pytest

from pipeline.schema.sweep import SearchSpec
from pipeline.search.experience import drawn
from pipeline.search.sampler import Outcome, Sampler
from pipeline.space.load import as_begun, from_tree, load
from pipeline.space.tree import Space

WIDE = {"lr_g": {"log": [1e-5, 1e-1]}, "lr_ratio": {"log": [1e-2, 1e2]}, "beta1": {"uniform": [0, 0.9]}}


def points(optimiser: dict, count: int = 400) -> list[dict]:
    space = Space.parse({"optimiser": optimiser, "width": {"choice": [16, 32, 64]}}, "test.yaml")
    random = np.random.default_rng(0)
    return [drawn(space, random) for _ in range(count)]


def test_rates_are_where_gans_train_and_all_else_is_uniform():
    found = points(WIDE)
    rates = [math.log10(point["optimiser.lr_g"]) for point in found]
    ratios = [math.log10(point["optimiser.lr_ratio"]) for point in found]
    assert statistics.fmean(rates) == pytest.approx(math.log10(8e-4), abs=0.1)
    assert statistics.stdev(rates) == pytest.approx(0.55, rel=0.15)
    assert statistics.fmean(ratios) == pytest.approx(0, abs=0.1)
    assert all(0 <= point["optimiser.beta1"] <= 0.9 for point in found)
    assert statistics.median(point["optimiser.beta1"] for point in found) < 0.4
    widths = [point["width"] for point in found]
    assert all(widths.count(width) == pytest.approx(400 / 3, rel=0.25) for width in (16, 32, 64))


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ({"log": [2e-4, 3e-3]}, 2e-4, 3e-3),  # a part of what is known
        ({"uniform": [0, 1e-2]}, 0, 1e-2),  # without a lowest logarithm
    ],
)
def test_a_range_is_kept(values, low, high):
    rates = [point["optimiser.lr_g"] for point in points({"lr_g": values})]
    assert low <= min(rates) < 5e-4 < 8e-4 < max(rates) <= high


def test_a_range_elsewhere_is_its_authors_own_business():
    rates = [math.log10(point["optimiser.lr_g"]) for point in points({"lr_g": {"log": [1e-6, 1e-5]}})]
    assert statistics.fmean(rates) == pytest.approx(-5.5, abs=0.06)  # uniform, and not all at its upper end
    (option,) = {point["optimiser.lr_g"] for point in points({"lr_g": {"choice": [1e-7]}}, 3)}
    assert option == 1e-7


def test_it_has_its_turn_while_the_sampler_has_no_model():
    space = Space.parse({"optimiser": WIDE}, "test.yaml")
    sampler = Sampler(space, SearchSpec(startup=3), minimise=True)
    sources = []
    for number in range(5):
        point, source = sampler.ask(number)
        sources.append(source)
        sampler.tell(number, Outcome("completed", 100 * point["optimiser.beta1"]))
    assert sources == ["experience"] * 3 + ["sampler"] * 2
    for spec in (SearchSpec(experience=False), SearchSpec(sampler="random")):
        assert Sampler(space, spec, minimise=True).ask(0)[1] == "sampler"


def test_an_evolution_learns_from_it():
    def next_of(sign: int) -> dict:
        spec = SearchSpec(sampler="cmaes", startup=8)
        sampler = Sampler(Space.parse({"optimiser": WIDE}, "test.yaml"), spec, minimise=True)
        for number in range(8):
            point, _ = sampler.ask(number)
            sampler.tell(number, Outcome("completed", sign * point["optimiser.beta1"]))
        return sampler.ask(8)[0]

    assert next_of(1) != next_of(-1)


def test_a_sweep_that_was_begun_without_it_goes_on_without_it():
    tree = load("digits").tree
    older = {key: value for key, value in tree["search"].items() if key not in ("experience", "promote")}
    begun = as_begun({**tree, "search": older}, load("digits").sweep.model_dump(mode="json"))
    assert load("digits").sweep.search.experience
    assert not from_tree(begun, "digits").sweep.search.experience
    assert load("digits").sweep.search.promote is not None
    assert from_tree(begun, "digits").sweep.search.promote is None
