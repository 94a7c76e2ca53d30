"""What the votes of a sweep come to."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.judging.preference import Strength, strengths
from pipeline.judging.votes import Vote, votes

_GOT = {"left": 1.0, "right": 0.0, "even": 0.5}


@dataclass(frozen=True)
class Judgement:
    """rows: the trials, the most liked first. votes: all but those that were passed over. left: how many of the
    decided ones were for the left picture: half, but for chance, where the eye has no habit. seen: votes of people
    who had seen a ranking before. last: when the last vote was given, seconds since 1970."""

    rows: tuple[Strength, ...]
    votes: int
    even: int
    passed: int
    left: int
    decided: int
    seen: int
    judges: int
    last: float

    def document(self) -> dict[str, Any]:
        return asdict(self)


def judgement(folder: Path) -> Judgement | None:
    """Of the sweep in `folder`; None before its first vote that says something. Raises InputError for a damaged file
    of votes."""
    given = votes(folder)
    told = [vote for vote in given if vote.choice != "skip"]
    if not told:
        return None
    counts = Counter(vote.choice for vote in told)
    return Judgement(
        rows=tuple(strengths([_result(vote) for vote in told])),
        votes=len(told),
        even=counts["even"],
        passed=len(given) - len(told),
        left=counts["left"],
        decided=counts["left"] + counts["right"],
        seen=sum(vote.seen for vote in told),
        judges=len({vote.by for vote in told}),
        last=max(vote.time for vote in told),
    )


def _result(vote: Vote) -> tuple[int, int, float]:
    return vote.left.trial, vote.right.trial, _GOT[vote.choice]
