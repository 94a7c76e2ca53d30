"""Where in its space a sweep failed, in words: regions that a small decision tree finds, tested against chance."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from pipeline.record.runs import HEALTH_REASONS
from pipeline.record.state import SweepState
from pipeline.space.distributions import Choice, Range
from pipeline.space.tree import Parameter, Space, dotted

BLAMED = (*HEALTH_REASONS, "out_of_memory", "invalid")  # ends that say something of the configuration
DEPTH = 3  # conditions of a region, at most
LEAST = 5  # trials in a region
SHUFFLES, LEVEL = 199, 0.01  # of the ends among the trials; how often chance alone may find as much
MOST = 3  # regions


@dataclass(frozen=True)
class Condition:
    """One parameter (its full name): above `low` and at most `high`, or one of `options`, None where it is not so
    bounded."""

    parameter: str
    low: float | None = None
    high: float | None = None
    options: tuple[Any, ...] | None = None

    def holds(self, point: Mapping[str, Any]) -> bool:
        """Of a trial's point; not where it has no such parameter."""
        if self.parameter not in point:
            return False
        value = point[self.parameter]
        if self.options is not None:
            return value in self.options
        return (self.low is None or value > self.low) and (self.high is None or value <= self.high)

    def words(self) -> str:
        """'optimiser.lr_d above 0.0003'."""
        name = dotted(self.parameter)
        if self.options is not None:
            return f"{name} {' or '.join(map(str, self.options))}"
        if self.low is not None and self.high is not None:
            return f"{name} from {self.low:.3g} to {self.high:.3g}"
        return f"{name} above {self.low:.3g}" if self.low is not None else f"{name} up to {self.high:.3g}"


@dataclass(frozen=True)
class Region:
    """trials: how many are in it. failed: of those. reasons: how those ended. elsewhere: the share that failed outside.
    chance: how often trials whose ends were shuffled had a region as striking."""

    conditions: tuple[Condition, ...]
    trials: int
    failed: int
    reasons: Mapping[str, int]
    elsewhere: float
    chance: float

    def words(self) -> str:
        """In a line."""
        where = ", ".join(condition.words() for condition in self.conditions)
        most, count = max(self.reasons.items(), key=lambda pair: pair[1])
        said = f"{self.failed / self.trials:.0%} of {self.trials} trials"
        ended = f"{most} in {said}" if count == self.failed else f"failed in {said}, mostly {most} ({count})"
        chance = f"by chance under {math.ceil(self.chance * 1000) / 10:g}%"
        return f"{where}: {ended}; elsewhere {self.elsewhere:.0%} ({chance})"


def failure_regions(state: SweepState, space: Space) -> list[Region]:
    """Regions of the space where more trials failed than elsewhere, the most striking first, of no trial in common;
    none where shuffled ends have one as striking in more than 1% of the shuffles.

    A decision tree of depth 3 over the searched parameters says which of the trials that came to an end failed by a
    fault of their configuration; each of its nodes is a region. How striking one is: the hypergeometric probability of
    so many failures in it. The whole search is done again on each shuffle, and the most striking node kept, so that the
    test allows for the many regions that were looked at (Westfall and Young 1993).
    """
    ended = [trial for trial in state.trials.values() if trial.healthy or trial.end_reason in BLAMED]
    points = [trial.point for trial in ended]
    failed = np.array([not trial.healthy for trial in ended])
    if len(ended) < 4 * LEAST or not LEAST <= failed.sum() < len(failed):
        return []
    table = _Table(space.parameters(), points)
    if not table.columns:
        return []
    nodes = _found(table, failed)
    if not nodes:
        return []
    shuffled = _shuffled(table, failed, nodes[0][0])
    regions, taken = list[Region](), np.zeros(len(failed), dtype=bool)
    for score, conditions, inside in nodes:
        chance = (1 + sum(other >= score for other in shuffled)) / (SHUFFLES + 1)
        if chance > LEVEL or len(regions) == MOST or len(shuffled) < SHUFFLES:
            break
        if (taken & inside).any():
            continue
        taken |= inside
        reasons = Counter(str(trial.end_reason) for trial, its in zip(ended, inside & failed, strict=True) if its)
        outside = failed[~inside]
        elsewhere = float(outside.mean()) if len(outside) else 0.0
        regions.append(
            Region(conditions, int(inside.sum()), int(failed[inside].sum()), dict(reasons), elsewhere, chance)
        )
    return regions


class _Table:
    """The trials as numbers: a column a number (of a log range its logarithm) and a column an option of a choice; what
    a trial does not have is in the middle of what the others have, so that the tree can tell nothing by it."""

    def __init__(self, parameters: Sequence[Parameter], points: Sequence[Mapping[str, Any]]) -> None:
        self.points = points
        self.columns: list[tuple[Parameter, Any]] = []  # of a choice with the option
        values = []
        for parameter in parameters:
            there = [point[parameter.name] for point in points if parameter.name in point]
            if len(set(there)) < 2:
                continue
            if isinstance(parameter.distribution, Choice):
                options = [option for option in parameter.distribution.options if option in there]
                for option in options[1:] if len(options) == 2 else options:
                    self.columns.append((parameter, option))
                    values.append([float(point.get(parameter.name, None) == option) for point in points])
                continue
            self.columns.append((parameter, None))
            column = [scaled(parameter, point[parameter.name]) for point in points if parameter.name in point]
            middle = float(np.median(column))
            rest = iter(column)
            values.append([next(rest) if parameter.name in point else middle for point in points])
        self.values = np.array(values).T if values else np.zeros((len(points), 0))

    def split(self, feature: int, at: float, above: bool) -> Condition:
        """A branch of the tree as a condition."""
        parameter, option = self.columns[feature]
        if isinstance(parameter.distribution, Choice):
            others = tuple(each for each in parameter.distribution.options if each != option)
            return Condition(parameter.name, options=(option,) if above else others)
        value = 10**at if _log(parameter) else at
        return Condition(parameter.name, low=value) if above else Condition(parameter.name, high=value)


def _log(parameter: Parameter) -> bool:
    return isinstance(parameter.distribution, Range) and parameter.distribution.log


def scaled(parameter: Parameter, value: float) -> float:
    """A number on its parameter's own scale: of a log range its decimal logarithm."""
    return math.log10(value) if _log(parameter) else float(value)


_Found = tuple[float, tuple[Condition, ...], Any]


def _found(table: _Table, failed: Any) -> list[_Found]:
    """Each node of the tree that failed more than the whole, the most striking first: how much so, what it is, and
    which trials are in it."""
    tree = _tree(table, failed)
    nodes = []
    for path in _paths(tree):
        conditions = _merged([table.split(*step) for step in path])
        inside = np.array([all(condition.holds(point) for condition in conditions) for point in table.points])
        if inside.sum() >= LEAST and failed[inside].mean() >= max(0.5, failed.mean()):
            nodes.append((_striking(inside, failed), conditions, inside))
    return sorted(nodes, key=lambda each: (-each[0], len(each[1])))


def _tree(table: _Table, failed: Any) -> Any:
    from sklearn.tree import DecisionTreeClassifier  # takes a second

    least = max(LEAST, len(failed) // 50)
    return DecisionTreeClassifier(max_depth=DEPTH, min_samples_leaf=least, random_state=0).fit(table.values, failed)


def _paths(fitted: Any) -> list[list[tuple[int, float, bool]]]:
    """The way to each node but the root: (column, threshold, above it)."""
    tree, ways, paths = fitted.tree_, [(0, list[tuple[int, float, bool]]())], []
    while ways:
        node, way = ways.pop()
        if way:
            paths.append(way)
        if tree.children_left[node] >= 0:
            for child, above in ((tree.children_left[node], False), (tree.children_right[node], True)):
                ways.append((child, [*way, (int(tree.feature[node]), float(tree.threshold[node]), above)]))
    return paths


def _merged(conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    """One condition a parameter."""
    merged = dict[str, Condition]()
    for each in conditions:
        before = merged.get(each.parameter)
        if before is None:
            merged[each.parameter] = each
        elif each.options is not None and before.options is not None:
            left = tuple(option for option in before.options if option in each.options)
            merged[each.parameter] = replace(before, options=left)
        else:
            lows = [low for low in (before.low, each.low) if low is not None]
            highs = [high for high in (before.high, each.high) if high is not None]
            merged[each.parameter] = replace(
                before, low=max(lows) if lows else None, high=min(highs) if highs else None
            )
    return tuple(merged.values())


def _striking(inside: Any, failed: Any) -> float:
    """-log of the probability of so many failures among so many trials, drawn from all."""
    return -float(stats.hypergeom.logsf(failed[inside].sum() - 1, len(failed), failed.sum(), inside.sum()))


def _shuffled(table: _Table, failed: Any, score: float) -> list[float]:
    """The most striking node of each shuffle; given up as soon as it is sure that `score` is no rarity."""
    chance, highest, allowed = np.random.default_rng(0), list[float](), LEVEL * (SHUFFLES + 1) - 1
    while len(highest) < SHUFFLES and sum(each >= score for each in highest) <= allowed:
        ends = chance.permutation(failed)
        tree = _tree(table, ends)
        counts = tree.tree_.n_node_samples
        shares = tree.tree_.value[:, 0, -1]
        broken = np.rint(shares * counts)
        worth = (np.arange(len(counts)) > 0) & (shares >= max(0.5, failed.mean()))
        scores = -stats.hypergeom.logsf(broken - 1, len(ends), ends.sum(), counts)
        highest.append(float(scores[worth].max()) if worth.any() else 0.0)
    return highest
