"""Writes the report of a sweep: one HTML page, which asks nothing of a network."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.judging.judgement import judgement
from pipeline.picking.verdict import standing
from pipeline.record.events import SweepBegan, every
from pipeline.record.home import EVENTS
from pipeline.record.log import read
from pipeline.record.runs import END_REASONS, HEALTH_REASONS
from pipeline.record.state import SweepState
from pipeline.report.audit import left
from pipeline.report.charts.chart import COLOURS, GLYPHS, MARKS, Chart, Parallel
from pipeline.report.insight import insight
from pipeline.report.judged import said as judged_words
from pipeline.report.markdown import evidence_line
from pipeline.report.numbers import clock, number
from pipeline.report.page import pictures
from pipeline.report.page.answer import answer
from pipeline.report.page.figures import charts
from pipeline.report.page.leaderboard import HEIGHT, SHOWN, WIDTH, leaderboard
from pipeline.report.regions import failure_regions
from pipeline.report.spending import spending
from pipeline.schema.features import measured_in
from pipeline.space import yaml
from pipeline.space.load import recorded_space

REPORT = "report.html"  # in a sweep's folder
PICTURED = 3  # trials, where nothing is picked
EXAMPLES = 5  # runs with their evidence, of each reason


def write(state: SweepState, folder: Path, path: Path) -> None:
    """Writes the page of the sweep in `folder`. Raises InputError where `path` cannot be written."""
    save(html(state, folder), path)


def save(text: str, path: Path) -> None:
    """Writes a page, whole or not at all. Raises InputError where `path` cannot be written."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise InputError(f"--out: found {path}: {error.strerror}; valid: a file that can be written") from None


def html(state: SweepState, folder: Path, drawn: Sequence[Chart | Parallel] | None = None) -> str:
    """The page as text. Some 5 MB of it are the library that draws its charts (plotly). drawn: the charts, where they
    are made already."""
    drawn = charts(state, folder) if drawn is None else drawn
    return rendered("page.html", drawn, _content(state, folder, drawn))


def rendered(template: str, drawn: Sequence[Chart | Parallel], content: dict[str, Any]) -> str:
    """A page of this folder, with its style, its script, its charts and the library that draws them."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    own = Path(__file__).parent
    environment = Environment(
        loader=PackageLoader("pipeline.report.page", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    text = environment.get_template(template).render(
        **content,
        charts={chart.name: chart for chart in drawn},
        css=Markup((own / "page.css").read_text(encoding="utf-8")),
        js=Markup("".join((own / name).read_text(encoding="utf-8") for name in ("parallel.js", "page.js"))),
        plotly=Markup(_within_script(get_plotlyjs())) if drawn else "",
        data=Markup(_within_script(json.dumps(_data(drawn), separators=(",", ":")))),
    )
    return text.lstrip()


def _within_script(text: str) -> str:
    """Nothing in it ends the element that it is in."""
    return text.replace("</", "<\\/")


def _data(drawn: Sequence[Chart | Parallel]) -> dict[str, Any]:
    from pipeline.report.charts.interactive import coordinates, described

    return {chart.name: coordinates(chart) if isinstance(chart, Parallel) else described(chart) for chart in drawn}


@dataclass(frozen=True)
class Ended:
    """How many runs of the search ended so, and some of them with their evidence."""

    reason: str
    count: int
    share: str
    examples: tuple[str, ...]


def _content(state: SweepState, folder: Path, drawn: Sequence[Chart | Parallel]) -> dict[str, Any]:
    verdict, said = standing(state), answer(state, folder)
    space = recorded_space(state.space, state.source)
    regions = failure_regions(state, space)
    names = {chart.name: chart for chart in drawn}
    pictured = [row.trial for row in verdict.rows] if verdict else [t.number for t in state.ranking()[:PICTURED]]
    if not verdict and state.default is not None and state.default.number not in pictured and pictured:
        pictured.append(state.default.number)
    shown = said.trial
    judged, strips = judgement(folder), pictures.strips(state, folder, pictured)
    return {
        "state": state,
        "answer": said,
        "measured": state.metric + measured_in(state.features),
        "parameters": _parameters(state, shown),
        "slices": [chart for name, chart in names.items() if name.startswith("slice-")],
        "strips": strips,
        "nearest": pictures.nearest(state, folder, shown) if shown is not None else [],
        "judged": judged_words(state, judged).lines if judged else (),
        "board": leaderboard(state, shown),
        "ends": _ends(state),
        "saved": _saved(state),
        "regions": [region.words() for region in regions],
        "tested": len([trial for trial in state.trials.values() if trial.end_reason is not None]),
        "insight": insight(state, shown),
        "colours": COLOURS,
        "glyphs": {reason: GLYPHS[mark] for reason, mark in MARKS.items()},
        "spent": spending(state),
        "made_of": _made_of(state, folder),
        "commands": _reproduce(state),
        "sweep_yaml": yaml.dump(state.space),
        "spec_yaml": yaml.dump(state.trials[shown].spec) if shown is not None else "",
        "shown_rows": SHOWN,
        "strip_size": (WIDTH, HEIGHT),
        "number": number,
    }


def _parameters(state: SweepState, trial: int | None) -> list[tuple[str, str, str]]:
    """What was searched, of the answer, beside the default's."""
    if trial is None:
        return []
    default = state.default.params if state.default else {}
    mine = state.trials[trial].params
    names = [*mine, *(name for name in default if name not in mine)]
    return [(name, number(mine.get(name)), number(default.get(name))) for name in names]


def _ends(state: SweepState) -> list[Ended]:
    ended = [run for run in state.runs if run.end_reason]
    counts = Counter(str(run.end_reason) for run in ended)
    ends = []
    for reason in sorted(counts, key=END_REASONS.index):
        mine = [run for run in ended if run.end_reason == reason]
        lines = [f"trial {run.trial}: {evidence_line(reason, run.evidence)}" for run in mine if reason != "completed"]
        more = [f"and {len(lines) - EXAMPLES} more"] if len(lines) > EXAMPLES else []
        share = f"{counts[reason] / len(ended):.0%}"
        ends.append(Ended(reason, counts[reason], share, (*lines[:EXAMPLES], *more)))
    return ends


def _saved(state: SweepState) -> str:
    """What stopping early has saved, at each run's own pace."""
    stopped = [run for run in state.runs if run.end_reason in (*HEALTH_REASONS, "rung") and run.images]
    seconds = sum(left(state, run) for run in stopped) * (state.share or 1.0)
    if not stopped:
        return "No run was stopped early."
    unit = "GPU-hours" if state.share else "core-hours"
    amount = f"{seconds / 3600:.2g} {unit}" if seconds >= 360 else f"{clock(seconds)} of a core"
    many = f"{len(stopped)} runs that were" if len(stopped) > 1 else "the one run that was"
    return f"Stopping early saved about {amount}: what {many} stopped would have gone on for, at their own pace."


def _made_of(state: SweepState, folder: Path) -> list[tuple[str, str]]:
    """What it ran on, with and with which data, by name."""
    lines, _ = read(folder / EVENTS, limit=1)
    (first,) = every(SweepBegan, lines)
    data, launch = state.data, state.driver.launch if state.driver else {}
    share = f"{state.share:g} of a GPU a run" if state.share else "a core a run, no GPU"
    rows = {
        "space": state.source,
        "sweep's seed": str(state.seed),
        "data": f"{data.get('name', 'not prepared')} ({data.get('fingerprint', 'no fingerprint')})",
        "measured in": state.features or "points, no features",
        "floor": number(state.floor) if state.floor is not None else "",
        "hardware": f"{state.slots} runs at a time, {share}",
        "cluster": str(launch.get("address") or "this machine alone"),
        "versions": ", ".join(f"{name} {version}" for name, version in first.versions.items()),
        "cost": spending(state),
    }
    return [(name, value) for name, value in rows.items() if value]


def _reproduce(state: SweepState) -> list[str]:
    """The commands that make it again, from the files below."""
    trials = f" --trials {state.wanted}" if state.wanted else ""
    again = [f"gansweep run sweep.yaml --name {state.name}-again --seed {state.seed}{trials}"]
    if state.pick:
        again.append(f"gansweep pick {state.name}-again --top {state.pick.top} --seeds {state.pick.seeds}")
    return again
