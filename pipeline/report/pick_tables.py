"""What a pick shows on the terminal: the race as it is run, and the finalists with their intervals."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from pipeline.picking.outcomes import scores
from pipeline.picking.plateau import Plateau
from pipeline.picking.standing import neighbours_wanted, race
from pipeline.picking.verdict import Difference, Verdict
from pipeline.record.state import SweepState
from pipeline.report.numbers import clock, number
from pipeline.report.tables import progress_line
from pipeline.report.verdict import span


def live(state: SweepState, seconds: float, backlog: int) -> Group:
    """A line a finalist that races, with a mark for each seed, the neighbours' runs that are left once it is over, and
    the runs under way."""
    assert state.pick is not None
    plan = race(state, state.pick.numbers, state.pick.seeds)
    left = [] if plan.wanted else neighbours_wanted(state)
    lines: list[Any] = [
        Text.assemble(
            (state.name, "bold"), f"  pick: {len(plan.racing)} of {len(plan.outcomes)} can win, {clock(seconds)} gone"
        )
    ]
    for finalist, outcomes in plan.outcomes.items():
        marks = [("✓", "green") if outcome is not None else ("✗", "red") for outcome in outcomes]
        out = "" if finalist in plan.racing else "  out"
        lines.append(Text.assemble(f"  trial {finalist:<4}", *marks, f"  {len(scores(outcomes))} healthy{out}"))
    if left and any(run.state == "running" for run in state.perturbed):
        lines.append(Text(f"  plateau: {len(left)} runs of neighbours left"))
    for run in [*state.confirmations, *state.perturbed]:
        if run.state == "running":
            lines.append(progress_line(state, run, f"{state.configuration(run.trial).title:<10} seed {run.seed:<11}"))
    if backlog > 50:
        lines.append(Text(f"  tracker: {backlog} lines behind", style="yellow"))
    return Group(*lines)


COLUMNS = {"trial": 5, "healthy": 7, "score": 6, "95%": 14, "better than default": 24, "P(best)": 7, "regret": 7}


def table(verdict: Verdict, width: int) -> Table:
    """Best first. score: on the test part, over healthy seeds; regret: what taking it is expected to cost, in the
    metric's units. Where there is room: the score in the search, and why it was a finalist."""
    floor = f" (floor {number(verdict.floor)})" if verdict.floor is not None else ""
    title = f"{verdict.name}: {verdict.metric} on fresh seeds, test part{floor}"
    grid = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for name, wide in COLUMNS.items():
        grid.add_column(name, justify="right", width=wide, no_wrap=True)
    left = width - sum(COLUMNS.values()) - len(COLUMNS)
    if left >= 9:
        grid.add_column("searched", justify="right", width=8, no_wrap=True)
        left -= 9
    if left >= 10:
        grid.add_column("finalist as", no_wrap=True, overflow="ellipsis", width=left)
    for row in verdict.rows:
        cells: list[Any] = [
            str(row.trial),
            Text(f"{row.healthy}/{row.seeds}", style="green" if row.healthy == row.seeds else "red"),
            number(row.score),
            "–" if row.interval is None else span(row.interval),
            "default" if row.trial == verdict.default else _versus(row.versus_default),
            f"{row.probability_best:.2f}",
            number(row.regret),
            number(row.searched),
            ", ".join(row.why),
        ]
        grid.add_row(*cells[: len(grid.columns)])
    return grid


def _versus(difference: Difference | None) -> str:
    if difference is None:
        return "–"
    amount = ("+" if difference.better >= 0 else "") + number(difference.better)
    return amount if difference.interval is None else f"{amount} ({span(difference.interval)})"


NEIGHBOURS = {"winner's": 9, "moved to": 9, "healthy": 7, "better than the winner": 22}


def neighbours(plateau: Plateau, width: int) -> Table:
    """A row a move, parameter by parameter; the last column says what it did."""
    title = f"trial {plateau.of} with one parameter moved"
    grid = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    names = {row.parameter: row.parameter.rpartition(".")[2] for row in plateau.rows}
    unique = len(set(names.values())) == len(names)
    left = max(width - sum(NEIGHBOURS.values()) - 6 - 2 * len(NEIGHBOURS) - 4, 8)
    grid.add_column("parameter", width=min(left, 34), no_wrap=True, overflow="ellipsis")
    for name, wide in NEIGHBOURS.items():
        grid.add_column(name, justify="right", width=wide, no_wrap=True, overflow="ellipsis")
    grid.add_column("", no_wrap=True)
    colours = {"holds": "green", "better": "green", "worse": "yellow", "breaks": "red"}
    for row in plateau.rows:
        healthy = Text(f"{row.healthy}/{row.seeds}", style="green" if row.healthy == row.seeds else "red")
        word = Text(row.found, style=colours[row.found])
        name = names[row.parameter] if unique else row.parameter
        grid.add_row(name, number(row.was), number(row.value), healthy, _versus(row.difference), word)
    return grid
