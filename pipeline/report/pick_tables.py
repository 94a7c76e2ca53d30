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
        out = "" if finalist in plan.racing else "  compared with" if finalist == state.pick.against else "  out"
        lines.append(Text.assemble(f"  trial {finalist:<4}", *marks, f"  {len(scores(outcomes))} healthy{out}"))
    if left and any(run.state == "running" for run in state.perturbed):
        lines.append(Text(f"  plateau: {len(left)} runs of neighbours left"))
    for run in [*state.confirmations, *state.perturbed]:
        if run.state == "running":
            lines.append(progress_line(state, run, f"{state.configuration(run.trial).title:<10} seed {run.seed:<11}"))
    if backlog > 50:
        lines.append(Text(f"  tracker: {backlog} lines behind", style="yellow"))
    return Group(*lines)


COLUMNS = ("trial", "healthy", "score", "95%", "better than default", "P(best)", "regret")


def table(verdict: Verdict, width: int) -> Table:
    """Best first. score: on the test part, over healthy seeds; regret: what taking it is expected to cost, in the
    metric's units. Where there is room: the interval of the difference to the default (without it a ~ says that it is
    within noise), the score in the search, and why it was a finalist."""
    floor = f" (floor {number(verdict.floor)})" if verdict.floor is not None else ""
    title = f"{verdict.name}: {verdict.metric} on fresh seeds, test part{floor}"
    rows = _cells(verdict, short=False)
    if _width(rows) > width:
        rows = _cells(verdict, short=True)
    left = width - _width(rows)
    grid = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for name in COLUMNS:
        grid.add_column(name, justify="right", no_wrap=True)
    if left >= 9:
        grid.add_column("searched", justify="right", width=8, no_wrap=True)
        left -= 9
    if left >= 12:
        grid.add_column("finalist as", no_wrap=True, overflow="ellipsis", width=left)
    for cells, row in zip(rows, verdict.rows, strict=True):
        healthy = Text(cells[1], style="green" if row.healthy == row.seeds else "red")
        all_of_it: list[str | Text] = [cells[0], healthy, *cells[2:], number(row.searched), ", ".join(row.why)]
        grid.add_row(*all_of_it[: len(grid.columns)])
    return grid


def _cells(verdict: Verdict, *, short: bool) -> list[list[str]]:
    return [
        [
            str(row.trial),
            f"{row.healthy}/{row.seeds}",
            number(row.score),
            "–" if row.interval is None else span(row.interval),
            "default" if row.trial == verdict.default else _versus(row.versus_default, short=short),
            f"{row.probability_best:.2f}",
            number(row.regret),
        ]
        for row in verdict.rows
    ]


def _width(rows: list[list[str]]) -> int:
    """Of the columns with a space behind each."""
    return sum(max(map(len, column)) + 1 for column in zip(COLUMNS, *rows, strict=True))


def _versus(difference: Difference | None, *, short: bool = False) -> str:
    if difference is None:
        return "–"
    amount = ("+" if difference.better >= 0 else "") + number(difference.better)
    if short:
        return f"~{amount}" if difference.noise else amount
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
