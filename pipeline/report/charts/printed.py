"""Charts as matplotlib's figures, for papers: black on white, fonts of 8 points, text that stays text in an SVG."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from pipeline.report.charts.chart import COLOURS, Axis, Chart, Parallel, Series

FORMATS = ("svg", "png")
MARKS = {
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "cross": "+",
    "x": "x",
    "triangle-up": "^",
    "triangle-down": "v",
    "star": "*",
}
STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "gansweep",  # the same figure is the same file
}
WIDTH = 5.5  # inches: a text column of the usual conference styles


def printed(chart: Chart | Parallel) -> Figure:
    """The chart as a figure of matplotlib."""
    with mpl.rc_context(STYLE):
        if isinstance(chart, Parallel):
            return _parallel(chart)
        lying = bool(chart.y.categories)
        figure = Figure(figsize=(WIDTH, 0.8 + 0.32 * max(len(chart.y.categories), 2) if lying else 3.2))
        axes = figure.subplots()
        below: dict[float, float] = {}
        for series in chart.series:
            _draw(axes, series, below)
        for which, axis in (("x", chart.x), ("y", chart.y)):
            _axis(axes, which, axis)
        if len(chart.series) > 1:
            axes.legend(fontsize=7)
        figure.set_layout_engine("tight")
        return figure


def save(chart: Chart | Parallel, folder: Path) -> list[Path]:
    """Writes it into the folder, as SVG and as PNG of 300 dots an inch. Raises OSError where it cannot."""
    figure, written = printed(chart), []
    with mpl.rc_context(STYLE):
        for form in FORMATS:
            path = folder / f"{chart.name}.{form}"
            figure.savefig(path, dpi=300, metadata={"Date": None} if form == "svg" else None)
            written.append(path)
    return written


def svg(chart: Chart | Parallel) -> str:
    """The chart as the text of an SVG."""
    into = io.StringIO()
    figure = printed(chart)
    with mpl.rc_context(STYLE):
        figure.savefig(into, format="svg", metadata={"Date": None})
    return into.getvalue()


def _axis(axes: Any, which: str, axis: Axis) -> None:
    axes.set(**{f"{which}label": axis.title})
    if axis.log:
        axes.set(**{f"{which}scale": "log"})
    if axis.whole and not axis.log:
        getattr(axes, f"{which}axis").get_major_locator().set_params(integer=True)
    if axis.categories:
        getattr(axes, f"set_{which}ticks")(range(len(axis.categories)), axis.categories)
        axes.set(**{f"{which}lim": (-0.6, len(axis.categories) - 0.4)})


def _draw(axes: Any, series: Series, below: dict[float, float]) -> None:
    colour, x, y = COLOURS[series.role], list(series.x), list(series.y)
    match series.kind:
        case "bars":
            axes.barh(y, x, left=[below.get(at, 0.0) for at in y], color=colour, height=0.7, label=series.name)
            below.update({at: below.get(at, 0.0) + more for at, more in zip(y, x, strict=True)})
        case "columns":
            width = x[1] - x[0] if len(x) > 1 else 1.0
            bottom = [below.get(at, 0.0) for at in x]
            axes.bar(x, y, bottom=bottom, width=0.95 * width, color=colour, label=series.name)
            below.update({at: start + more for at, start, more in zip(x, bottom, y, strict=True)})
        case "dots":
            if series.low:
                spans = [
                    (at, low, high)
                    for at, low, high in zip(y, series.low, series.high, strict=True)
                    if math.isfinite(low) and math.isfinite(high)
                ]
                for at, low, high in spans:
                    axes.plot([low, high], [at, at], color=colour, linewidth=1.5)
            size = 5 if series.strong else 3.5
            axes.plot(x, y, MARKS[series.mark], color=colour, markersize=size, alpha=0.85, label=series.name)
        case _:
            style = "steps-post" if series.kind == "steps" else "default"
            width = 1.8 if series.strong else 0.8
            axes.plot(x, y, color=colour, linewidth=width, drawstyle=style, label=series.name)


def _parallel(chart: Parallel) -> Figure:
    """Each axis from 0 to 1, with its own values written beside it."""
    figure = Figure(figsize=(max(WIDTH, 0.8 * len(chart.dimensions)), 3.4))
    axes = figure.subplots()
    axes.grid(False)
    columns = []
    for at, each in enumerate(chart.dimensions):
        places = [place for place, _ in each.ticks]
        known = [value for value in each.values if value is not None]
        low, high = min([*places, *known]), max([*places, *known])
        reach = (high - low) or 1.0
        columns.append([((places[0] if value is None else value) - low) / reach for value in each.values])
        axes.axvline(at, color="#555555", linewidth=0.8)
        for place, text in each.ticks:
            axes.text(at + 0.03, (place - low) / reach, text, fontsize=6, va="center")
    colours = mpl.colormaps["Blues"]
    for number in sorted(range(len(chart.trials)), key=lambda at: chart.shade[at]):
        shade = chart.shade[number]
        colour = "#b0b0b0" if shade < 0 else colours(0.25 + 0.75 * shade)
        axes.plot([column[number] for column in columns], color=colour, linewidth=0.7, alpha=0.8)
    titles = [each.title.replace(".", ".\n", 1) for each in chart.dimensions]
    axes.set_xticks(range(len(titles)), titles, rotation=30, ha="right", fontsize=6)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    figure.set_layout_engine("tight")
    return figure
