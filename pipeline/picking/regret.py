"""Whom a user would regret least: over all that is not known of the finalists, the loss of a choice less the least.

Who takes a finalist trains it, once or a few times: its loss is half that of one new run and half that of a bad day,
the worst of three. A failed run counts as far worse than any healthy score that was seen (picking/beliefs.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.picking.beliefs import Belief, Floats, beliefs
from pipeline.picking.outcomes import SeedResults

DRAWS = 20_000
RACE_DRAWS = 4_000  # a race asks after each batch


@dataclass(frozen=True)
class Regret:
    """expected: of taking this finalist, on the scale of the scores. best: the probability that it has the least
    loss."""

    expected: float
    best: float


def expected_losses(outcomes: SeedResults) -> dict[int, float]:
    """Of each finalist, exactly; who has the least has the least expected regret. In ranges of all healthy scores."""
    return {finalist: belief.expected() for finalist, belief in beliefs(outcomes)[0].items()}


def regrets(outcomes: SeedResults, seed: int) -> dict[int, Regret]:
    """Of each finalist. Draws are needed for the least loss of each alone: between finalists the expected regrets
    differ by just what the expected losses do."""
    known, unit = beliefs(outcomes)
    if not known:
        return {}
    drawn = _draws(known, seed, DRAWS)
    losses = {finalist: belief.expected() for finalist, belief in known.items()}
    least = min(losses, key=lambda finalist: (losses[finalist], finalist))
    table = np.stack(list(drawn.values()))
    lowest = table.min(axis=0)
    spared = float((drawn[least] - lowest).mean())
    first = table == lowest
    best = dict(zip(drawn, (first / first.sum(axis=0)).mean(axis=1).tolist(), strict=True))  # equals share it
    return {each: Regret((losses[each] - losses[least] + spared) * unit, best[each]) for each in known}


def sure_to_lose(outcomes: SeedResults, leader: int) -> dict[int, float]:
    """How probable it is of each finalist that its loss is more than the leader's."""
    drawn = _draws(beliefs(outcomes)[0], 0, RACE_DRAWS)
    return {finalist: float((losses > drawn[leader]).mean()) for finalist, losses in drawn.items()}


def _draws(known: Mapping[int, Belief], seed: int, draws: int) -> dict[int, Floats]:
    """Losses by finalist, in the order of their numbers, so that the order in which they are given is no matter.
    One draw of the share for all of equal counts: what is equally known does not differ by chance."""
    random = np.random.default_rng(seed)
    shares: dict[tuple[int, int], Floats] = {}
    drawn = {}
    for finalist in sorted(known):
        belief = known[finalist]
        if belief.counts not in shares:
            shares[belief.counts] = belief.shares(random, draws)
        drawn[finalist] = belief.drawn(random, shares[belief.counts])
    return drawn
