"""What a person sees of a sweep on the terminal: its live view, the leaderboard, and tables of sweeps and presets."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from pipeline.record.runs import Run
from pipeline.record.state import SweepState
from pipeline.report.audit import Replayed
from pipeline.report.numbers import clock, floors, kimg, number, short, signed, style
from pipeline.report.status import WITHIN, trial_rows, within_errors
from pipeline.schema.features import measured_in


def render(state: SweepState, seconds: float, backlog: int) -> Group:
    """The live view: counts, the running trials, the best so far, time gone and left, the tracker's backlog."""
    trials, total = list(state.trials.values()), state.wanted
    ended = [trial for trial in trials if trial.state == "finished"]
    running = [trial for trial in trials if trial.state == "running"]
    counts = Counter(str(trial.end_reason) for trial in ended)
    left = seconds / len(ended) * (total - len(ended)) if ended else None
    head = Text.assemble(
        (state.name, "bold"),
        f"  {len(ended)}/{total} trials  ",
        *[part for reason, n in counts.most_common() for part in ((f"{n} {reason}", style(reason)), "  ")],
        f"{clock(seconds)} gone",
        f", about {clock(left)} left" if left is not None else "",
    )
    lines: list[Any] = [head]
    for trial in running:
        for at, run in enumerate(trial.runs.values()):
            if run.state == "running":
                lines.append(progress_line(state, run, f"trial {trial.number:<4}" + (f" seed {at}" if at else "")))
    best = state.best_trial
    if best is not None:
        tail = best.tail(state.metric)
        lines.append(Text(f"  best so far: trial {best.number}, {state.metric} {number(tail)}{floors(state, tail)}"))
    if backlog > 50:
        lines.append(Text(f"  tracker: {backlog} lines behind", style="yellow"))
    return Group(*lines)


def progress_line(state: SweepState, run: Run, name: str) -> Text:
    """A running run: how far it is, and its last value."""
    budget = state.configuration(run.trial).spec["budget"]["images"]
    share = min(run.images / budget, 1.0)
    values = run.values(state.metric)
    return Text.assemble(
        f"  {name}",
        ("━" * round(20 * share) + "─" * (20 - round(20 * share)), "cyan"),
        f" {kimg(run.images):>10} of {kimg(budget)}   {state.metric} ",
        (number(values[-1][1]) if values else "–", "bold"),
    )


def replay_table(rejudged: Replayed) -> Table:
    """What other rules would have stopped; runs that ended well first."""
    table = Table(box=None, pad_edge=False)
    for column in ("trial", "seed", "ended", "would be", "by rule", "at kimg", "saved s"):
        table.add_column(column, justify="left" if column in ("ended", "would be", "by rule") else "right")
    for stop in sorted(rejudged.stops, key=lambda each: (not each.well, each.trial, each.seed)):
        mark = "bold red" if stop.well else ""
        row = (stop.trial, stop.seed, stop.ended, stop.reason, stop.rule, kimg(stop.images), f"{stop.saved:.0f}")
        table.add_row(*map(str, row), style=mark)
    return table


COLUMNS = {"trial": 5, "ended": 17, "tail": 6, "best": 6, "vs default": 10, "kimg": 5, "s": 4}


def leaderboard(state: SweepState, width: int, rows: int = 12) -> Table:
    """Best first; unhealthy ones with their end reason at the end. The last column is what was searched, in short,
    as far as `width` characters go; all of it is in `status --json` and in MLflow."""
    all_rows = trial_rows(state)
    floor = f" (floor {number(state.floor)})" if state.floor is not None else ""
    if state.noise_floor is not None:
        floor = f" (noise floor {number(state.noise_floor)})"
    title = f"{state.name}: {state.metric}{floor}{measured_in(state.features)}"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for name, wide in COLUMNS.items():
        table.add_column(name, justify="left" if name == "ended" else "right", width=wide, no_wrap=True)
    left = width - sum(COLUMNS.values()) - 2 * len(COLUMNS)
    if left >= 20:
        table.add_column("searched", no_wrap=True, overflow="ellipsis", width=left)
    for row in all_rows[:rows]:
        reason = str(row["end_reason"] or row["state"])
        default = state.default is not None and row["trial"] == state.default.number
        cells: list[Any] = [
            str(row["trial"]),
            Text(reason, style=style(reason)),
            number(row["tail"]),
            number(row["best"]),
            "default" if default else _versus(row),
            f"{row['images'] / 1000:.0f}",
            f"{row['seconds']:.0f}",
            short(state.trials[row["trial"]].params),
        ]
        table.add_row(*cells[: len(table.columns)])
    if any(_within(row) for row in all_rows[:rows]):
        table.caption, table.caption_justify = f"~ {WITHIN}", "left"
    if len(all_rows) > rows:
        table.add_row("…", f"{len(all_rows) - rows} more")
    return table


def _versus(row: dict[str, Any]) -> str:
    """With ~ before what the samples alone may explain."""
    return ("~" if _within(row) else "") + signed(row["versus_default"])


def _within(row: dict[str, Any]) -> bool:
    return within_errors(row["versus_default"], row["versus_default_error"])


def overview(sweeps: list[tuple[SweepState, str]]) -> Table:
    """A row a sweep."""
    table = Table(box=None, pad_edge=False)
    for name in ("sweep", "state", "space", "trials", "best", "time"):
        table.add_column(name)
    for state, word in sweeps:
        best = state.best_trial
        tail = (
            f"{state.metric} {number(best.tail(state.metric))}{measured_in(state.features)} (trial {best.number})"
            if best
            else "–"
        )
        table.add_row(
            state.name, Text(word, style=style(word)), state.source, str(len(state.trials)), tail, clock(state.seconds)
        )
    return table


def presets_table() -> Table:
    """A row a preset: what it is about and what it searches, by the sections of its file."""
    from pipeline.space.load import load, presets

    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0))
    for name in ("preset", "about, and what it searches"):
        table.add_column(name, overflow="fold")
    for name in presets():
        file = load(name)
        sections: dict[str, dict[str, None]] = {}
        for parameter in file.space.parameters():
            section, _, rest = parameter.key.partition(".")
            sections.setdefault(section, {})[rest or "which"] = None
        searched = "; ".join(f"{section}: {', '.join(keys)}" for section, keys in sections.items())
        table.add_row(Text(name, style="bold"), Text(file.about) + Text(f"\n{searched or 'nothing'}", style="dim"))
    return table
