"""The sampler finds what random search does not, and spends no trial on what it has tried."""

import math
import statistics

import pytest

from pipeline.schema.sweep import SearchSpec
from pipeline.search.sampler import Outcome, Sampler
from pipeline.space.tree import Space

# Two levels of branches, each with an optimum of its own; the best one is the deepest.
CONDITIONAL = {
    "lr": {"log": [1e-5, 1e-1]},
    "game": {
        "choice": {
            "plain": {"shift": {"uniform": [0, 1]}},
            "penalised": {
                "weight": {"log": [1e-2, 1e2]},
                "kind": {"choice": {"lazy": {"interval": {"int": [1, 32]}}, "dense": {"scale": {"uniform": [0, 1]}}}},
            },
            "clipped": {"clip": {"log": [1e-3, 1]}},
        }
    },
}


def loss(tree: dict) -> float:
    game = tree["game"]
    value = (math.log10(tree["lr"]) + 3) ** 2
    if "shift" in game:
        return value + 2 + 4 * (game["shift"] - 0.3) ** 2
    if "clip" in game:
        return value + 1.5 + (math.log10(game["clip"]) + 1) ** 2
    value += (math.log10(game["weight"]) - 1) ** 2
    if "interval" in game["kind"]:
        return value + ((game["kind"]["interval"] - 12) / 8) ** 2
    return value + 1 + 4 * (game["kind"]["scale"] - 0.7) ** 2


def best_of(kind: str, seed: int, trials: int) -> float:
    space = Space.parse(CONDITIONAL, "test.yaml")
    sampler = Sampler(space, SearchSpec(sampler=kind, seed=seed), minimise=True)
    best = math.inf
    for number in range(trials):
        point, _ = sampler.ask(number)
        value = loss(space.fixed(point)[1])
        sampler.tell(number, Outcome("completed", value))
        best = min(best, value)
    return best


@pytest.mark.slow
def test_tpe_beats_random_on_nested_branches():
    """The median of the best after 60 trials, over 10 seeds."""
    tpe, random = (statistics.median(best_of(kind, seed, 60) for seed in range(10)) for kind in ("tpe", "random"))
    assert tpe < 0.5 * random


NUMBERS = {"lr": {"log": [1e-5, 1e-1]}, "ratio": {"log": [0.1, 10]}, "beta": {"uniform": [0, 0.9]}, "free": 1}


def valley(point: dict) -> float:
    """Along both rates together the loss hardly changes: what a sampler of single parameters is slow in."""
    rate, ratio = math.log10(point["lr"]) + 3, math.log10(point["ratio"]) + 0.5
    return 10 * (rate - ratio) ** 2 + 0.1 * (rate + ratio) ** 2 + (point["beta"] - 0.5) ** 2


def valley_of(kind: str, seed: int, trials: int) -> float:
    sampler = Sampler(Space.parse(NUMBERS, "t"), SearchSpec(sampler=kind, seed=seed, trials=trials), minimise=True)
    losses = []
    for number in range(trials):
        losses.append(valley(sampler.ask(number)[0]))
        sampler.tell(number, Outcome("completed" if losses[-1] < 20 else "collapsed", losses[-1]))
    return min(losses)


def test_evolution_finds_what_is_correlated():
    """The median of the best after 100 trials, over 5 seeds; what is far from the valley fails."""
    evolved, random = (
        statistics.median(valley_of(kind, seed, 100) for seed in range(5)) for kind in ("cmaes", "random")
    )
    assert evolved < 0.5 * random


def test_auto_is_the_sampler_that_suits_the_space():
    def first(kind: str, tree: dict, trials: int) -> list:
        sampler = Sampler(Space.parse(tree, "t"), SearchSpec(sampler=kind, trials=trials, startup=2), minimise=True)
        points = []
        for number in range(6):
            points.append(sampler.ask(number)[0])
            sampler.tell(number, Outcome("completed", float(number)))
        return points

    assert first("auto", CONDITIONAL, 20) == first("tpe", CONDITIONAL, 20)
    assert first("auto", NUMBERS, 20) == first("gp", NUMBERS, 20)
    assert first("auto", NUMBERS, 300) == first("cmaes", NUMBERS, 300)
    assert first("cmaes", NUMBERS, 300) != first("tpe", NUMBERS, 300)


@pytest.mark.parametrize("kind", ["tpe", "random", "cmaes"])
def test_a_small_space_is_tried_whole_before_a_point_comes_twice(kind):
    space = Space.parse({"a": {"choice": [1, 2, 3]}, "b": {"choice": {"x": {}, "y": {"c": {"int": [1, 2]}}}}}, "t")
    sampler = Sampler(space, SearchSpec(sampler=kind, seed=1, startup=2), minimise=True)
    points = []
    for number in range(9):
        points.append(sampler.ask(number)[0])
        sampler.tell(number, Outcome("completed", float(points[-1]["a"])))
    assert len({repr(sorted(point.items())) for point in points}) == 9
    assert sampler.ask(9)[0] in points


def test_a_space_in_which_nothing_is_searched_gives_its_one_point():
    sampler = Sampler(Space.parse({"a": 1}, "t"), SearchSpec(), minimise=True)
    assert [sampler.ask(number) for number in range(2)] == [({}, "sampler")] * 2


def test_nothing_is_printed(capfd):
    best_of("tpe", 0, 12)
    assert capfd.readouterr() == ("", "")


def test_what_collapsed_is_avoided():
    """Below 0.5 every run collapses, after values that are better than any other."""
    space = Space.parse({"a": {"uniform": [0, 1]}}, "t")
    sampler = Sampler(space, SearchSpec(seed=2, startup=6), minimise=True)
    late = []
    for number in range(40):
        a = sampler.ask(number)[0]["a"]
        late += [a] if number >= 20 else []
        sampler.tell(number, Outcome("collapsed", -1.0) if a < 0.5 else Outcome("completed", abs(a - 0.8)))
    assert sum(a < 0.5 for a in late) <= 2


def test_points_hold_the_values_as_they_were_written():
    space = Space.parse({"a": {"steps": [0.1, 0.7, 0.1]}}, "t")
    sampler = Sampler(space, SearchSpec(sampler="random"), minimise=True)
    assert {sampler.ask(number)[0]["a"] for number in range(7)} == {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7}


def test_an_unknown_end_reason_is_no_outcome():
    with pytest.raises(ValueError, match="finished is no end reason"):
        Outcome("finished", 1.0)
