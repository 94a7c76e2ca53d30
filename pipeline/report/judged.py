"""What the votes on a sweep's samples come to, in words and numbers: for the page, the report and the terminal."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rich.table import Table
from scipy import stats

from pipeline.judging.judgement import Judgement
from pipeline.picking.verdict import standing
from pipeline.record.state import SweepState
from pipeline.report.numbers import number, trials

HABIT = 0.01  # a side that is chosen so often that chance does it less than this often is said


@dataclass(frozen=True)
class Row:
    """A trial, and beside what eyes say what was measured: the pick's score on the test part, else the search's
    tail."""

    trial: int
    share: float
    interval: tuple[float, float]
    first: float
    record: str
    measured: float | None
    default: bool


@dataclass(frozen=True)
class Said:
    """rows: the most liked first."""

    rows: tuple[Row, ...]
    lines: tuple[str, ...]


def said(state: SweepState, ranked: Judgement) -> Said:
    """The ranking, and what is to be known of it."""
    measured = _measured(state)
    default = state.default.number if state.default else None
    rows = tuple(
        Row(
            each.player,
            each.share,
            each.interval,
            each.first,
            f"{each.won} won, {each.lost} lost" + (f", {each.even} even" if each.even else ""),
            measured.get(each.player),
            each.player == default,
        )
        for each in ranked.rows
    )
    return Said(rows, (*_conclusions(state, ranked, rows), *_about(ranked)))


def _measured(state: SweepState) -> dict[int, float]:
    picked = standing(state)
    if picked is not None:
        scores = {row.trial: row.score for row in picked.rows}
    else:
        scores = {trial.number: trial.tail(state.metric) for trial in state.ranking()}
    return {trial: score for trial, score in scores.items() if score is not None and math.isfinite(score)}


def _conclusions(state: SweepState, ranked: Judgement, rows: tuple[Row, ...]) -> list[str]:
    best = rows[0]
    lines = [
        f"eyes prefer trial {best.trial}: it wins {best.share:.0%} of comparisons with the others (95%: "
        f"{best.interval[0]:.0%} to {best.interval[1]:.0%}), and is the most liked with probability {best.first:.2f}"
    ]
    rivals = [row.trial for row in rows[1:] if row.first > 0.05]
    if rivals:
        lines.append(f"not told apart from it: {trials(rivals)}")
    known = [row for row in rows if row.measured is not None]
    if len(known) > 1:
        sign = 1 if state.known.minimise else -1
        first = min(known, key=lambda row: sign * (row.measured or 0.0))
        agrees = first.trial == best.trial
        lines.append(
            f"eyes and {state.metric} agree on the first"
            if agrees
            else f"eyes and {state.metric} differ: by {state.metric} trial {first.trial} is the first "
            f"({number(first.measured)}, trial {best.trial} has {number(best.measured)})"
        )
    return lines


def _about(ranked: Judgement) -> list[str]:
    of = "1 judge" if ranked.judges == 1 else f"{ranked.judges} judges"
    passed = f", {ranked.passed} passed over" if ranked.passed else ""
    lines = [f"{ranked.votes} votes of {of}, blind, {ranked.even} of them even{passed}"]
    if ranked.seen:
        lines.append(f"{ranked.seen} of them were given after a ranking had been seen")
    if ranked.decided and stats.binomtest(ranked.left, ranked.decided).pvalue < HABIT:
        lines.append(
            f"the left picture was chosen {ranked.left} times of {ranked.decided}, more or less often than chance "
            f"does: a habit of the hand blurs the ranking, as sides are drawn at random"
        )
    return lines


def ranking_table(state: SweepState, ranked: Judgement) -> Table:
    """A row a trial, for the terminal."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in ("trial", "preferred", "95%", "first", "votes", state.metric):
        table.add_column(name, justify="left" if name == "votes" else "right", no_wrap=True)
    for row in said(state, ranked).rows:
        table.add_row(
            f"{row.trial} (default)" if row.default else str(row.trial),
            f"{row.share:.0%}",
            f"{row.interval[0]:.0%} to {row.interval[1]:.0%}",
            f"{row.first:.2f}",
            row.record,
            number(row.measured),
        )
    return table
