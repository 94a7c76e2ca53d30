"""One trial on the terminal: how it learned, why it ended, where its picture is, and its spec to take along."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from pipeline.errors import InputError
from pipeline.record.home import run_folder
from pipeline.record.runs import Run
from pipeline.record.state import SweepState
from pipeline.record.trials import Trial
from pipeline.report.charts.chart import wide
from pipeline.report.markdown import evidence_line
from pipeline.report.numbers import clock, kimg, number, style
from pipeline.report.status import trial_rows
from pipeline.space import yaml
from pipeline.space.load import TRIAL_KEYS, from_tree

BLOCKS = "▁▂▃▄▅▆▇█"
WIDEST = 60  # evaluations of a curve, side by side


def trial_of(state: SweepState, number: int) -> Trial:
    """A trial by its number, or InputError that says which there are."""
    if number not in state.trials:
        there = (
            f"0 to {max(state.trials)}" if len(state.trials) > 8 else ", ".join(map(str, state.trials)) or "none yet"
        )
        raise InputError(f"{state.name}: has no trial {number}; valid: {there}")
    return state.trials[number]


def sparkline(values: Sequence[float], log: bool = False, width: int = WIDEST) -> str:
    """A curve in one line of blocks, the lowest value lowest; of more values than `width` every so many-th one, and the
    last. What is no number is a gap."""
    count = min(width, len(values))
    places = [round(at * (len(values) - 1) / max(count - 1, 1)) for at in range(count)]
    shown = [values[at] for at in places]
    scaled = [math.log(value) if log and value > 0 else value for value in shown]
    known = [value for value in scaled if math.isfinite(value)]
    if not known:
        return " " * len(shown)
    low, reach = min(known), (max(known) - min(known)) or 1.0
    return "".join(
        BLOCKS[min(int((value - low) / reach * len(BLOCKS)), len(BLOCKS) - 1)] if math.isfinite(value) else " "
        for value in scaled
    )


def shown(state: SweepState, trial: Trial, folder: Path) -> Group:
    """What there is to be seen of a trial but its spec."""
    summary, metric = trial.summary(state.metric), state.metric
    rank = [each.number for each in state.ranking()]
    place = f", {rank.index(trial.number) + 1} of {len(rank)} by rank" if trial.number in rank else ""
    said = summary.end_reason or trial.state
    parts: list[Any] = [
        Text.assemble((trial.title, "bold"), "  ", (said, style(said)), f"{place}; proposed as {trial.source}"),
    ]
    row = next(each for each in trial_rows(state) if each["trial"] == trial.number)
    if row["tail"] is not None:
        versus = f", {row['versus_default']:+.3g} against the default" if row["versus_default"] is not None else ""
        parts.append(Text(f"{metric}: tail {number(row['tail'])}, best {number(row['best'])}{versus}"))
    for run in (*trial.runs.values(), *trial.confirmations.values()):
        parts += ["", *_run(run, metric, folder)]
    parts += ["", _parameters(trial, state)]
    return Group(*parts)


def _run(run: Run, metric: str, folder: Path) -> list[Any]:
    fresh = " (fresh)" if run.replicate is not None else ""
    ended = evidence_line(run.end_reason, run.evidence) if run.end_reason else "running"
    lines: list[Any] = [
        Text.assemble((f"seed {run.seed}{fresh}: ", "bold"), ended, f"  {kimg(run.images)}, {clock(run.seconds)}")
    ]
    if run.measurements:
        lines.append(_curves(run, metric))
        last = next((m.samples for m in reversed(run.measurements) if m.samples), None)
        if last:
            place = run_folder(folder, run.trial, run.seed) / last
            gone = "" if place.exists() else " (not on this disk)"
            lines.append(_place("samples", f"{place}{gone}"))
    for attempt in range(1, run.attempt + 1):
        if (place := run_folder(folder, run.trial, run.seed) / f"output-{attempt}.txt").exists():
            lines.append(_place(f"printed by attempt {attempt}" if run.attempt > 1 else "printed", str(place)))
    return lines


def _place(what: str, path: str) -> Text:
    return Text(f"{what}: {path}", no_wrap=True, overflow="ignore")


def _curves(run: Run, objective: str) -> Table:
    """A row a metric, the objective first, then a row a signal."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in ("curve", "first", "", "last"):
        table.add_column(column, no_wrap=True, justify="right" if column in ("first", "last") else "left")
    names = dict.fromkeys([objective, *(name for m in run.measurements for name in m.metrics)])
    curves = {name: [value for _, value in run.values(name)] for name in names}
    for name in dict.fromkeys(name for m in run.measurements for name in m.signals):
        curves.setdefault(name, [m.signals[name] for m in run.measurements if name in m.signals])
    for name, values in curves.items():
        if values:
            line = sparkline(values, log=wide(values))
            emphasis = "bold" if name == objective else ""
            table.add_row(Text(name, style=emphasis), number(values[0]), line, number(values[-1]))
    return table


def _parameters(trial: Trial, state: SweepState) -> Table:
    """Beside the default's, where there is one."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    default = state.default.params if state.default and state.default is not trial else None
    for column in ("searched", "value", *(["default"] if default is not None else [])):
        table.add_column(column)
    for name, value in trial.params.items():
        its = [number(default.get(name))] if default is not None else []
        table.add_row(name, Text(number(value), style="bold" if its and its != [number(value)] else ""), *its)
    return table


def spec_yaml(state: SweepState, trial: Trial) -> str:
    """The trial's configuration as a file that `gansweep train` takes, in which nothing is searched."""
    file = from_tree(state.space, state.source)
    _, tree = file.space.fixed(trial.point)
    kept = {key: tree[key] for key in TRIAL_KEYS if key in tree}
    return yaml.dump({"about": f"trial {trial.number} of the sweep {state.name}", "objective": state.metric, **kept})
