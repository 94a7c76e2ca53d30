"""Charts as plotly's figures: for a notebook, and as what they are made of for the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.report.charts.chart import COLOURS, Axis, Chart, Parallel, Series

if TYPE_CHECKING:
    import plotly.graph_objects as go

SCALE = [[0.0, "#8a8f98"], [0.2, "#8a8f98"], [0.2001, "#b9d7ee"], [0.6, "#4a9bd4"], [1.0, "#004a80"]]
DIGITS = 5  # of what is drawn: the page stays small
LEVEL = 28  # characters of options that stand side by side in a small chart
SMALL = 8  # whole numbers over so few have a line each
_BAR, _ROW = 26, 44  # pixels of a lying bar, of a finalist
_BELOW, _AROUND = 70, 62  # pixels from the axis to the legend, and of a chart that are not its axes'


def figure(chart: Chart | Parallel) -> go.Figure:
    """The chart as a figure of plotly, which looks through it. Its colours of text and ground are left to whoever shows
    it."""
    import plotly.graph_objects as go  # takes a second

    if isinstance(chart, Parallel):
        return _parallel(chart)
    return go.Figure(described(chart)).update_layout(template="none")


def described(chart: Chart) -> dict[str, Any]:
    """The same as plotly's script takes it."""
    lying = bool(chart.y.categories)
    tall = _ROW if any(series.kind == "dots" for series in chart.series) else _BAR
    height = 110 + tall * max(len(chart.y.categories), 2) if lying else 380
    layout = {
        "barmode": "stack",
        "xaxis": _axis(chart.x, [series.x for series in chart.series], below=True),
        "yaxis": _axis(chart.y, [series.y for series in chart.series]),
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "legend": {"orientation": "h", "y": -_BELOW / (height - _AROUND), "x": 0, "yanchor": "top"},
        "showlegend": len(chart.series) > 1,
        "hovermode": "closest",
        "bargap": 0.25 if lying else 0.02,
    }
    return {"data": [_trace(chart, series) for series in chart.series], "layout": layout}


def log_ticks(values: list[float]) -> list[float]:
    """Round numbers over the values: 1, 2 and 5 of each decade, of many decades 1 alone."""
    if not values:
        return []
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    step = max(1, math.ceil((high - low) / 7))
    digits = (1, 2, 5) if high - low <= 3 else (1,)
    return [float(f"{digit}e{decade}") for decade in range(low, high + 1, step) for digit in digits]


def _axis(axis: Axis, values: Sequence[tuple[float, ...]], below: bool = False) -> dict[str, Any]:
    layout: dict[str, Any] = {"title": {"text": axis.title}, "automargin": True, "zeroline": False}
    if axis.log:
        ticks = log_ticks([value for each in values for value in each if math.isfinite(value) and value > 0])
        layout |= {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}
    if axis.whole and not axis.log:
        there = [value for each in values for value in each] or [0]
        layout |= {"dtick": 1} if max(there) - min(there) <= SMALL else {}
    if axis.categories:
        layout |= {"tickvals": list(range(len(axis.categories))), "ticktext": list(axis.categories)}
        layout["range"] = [-0.6, len(axis.categories) - 0.4]
        if below and sum(map(len, axis.categories)) > LEVEL:
            layout["tickangle"] = -30  # each ends at its tick, the last one too
    return layout


def _trace(chart: Chart, series: Series) -> dict[str, Any]:
    x, y, colour = _rounded(series.x), _rounded(series.y), COLOURS[series.role]
    common = {"x": x, "y": y, "name": series.name, "text": list(series.text), "hoverinfo": "text+x+y"}
    if series.kind in ("bars", "columns"):
        lying = {"orientation": "h"} if series.kind == "bars" else {}
        return {"type": "bar", **common, **lying, "marker": {"color": colour}, "textposition": "none"}
    if series.kind == "dots":
        size = 11 if series.strong else 8
        hollow = series.mark in ("x", "cross")
        marker = {"color": colour, "size": size, "symbol": series.mark, "opacity": 0.95 if series.strong else 0.8}
        if hollow:
            marker["symbol"] = f"{series.mark}-thin"
            marker["line"] = {"color": colour, "width": 2}
        interval = {"error_x": _interval(series)} if series.low else {}
        return {"type": "scatter", **common, "mode": "markers", "marker": marker, **interval}
    line = {
        "color": colour,
        "width": 2.5 if series.strong else 1.2,
        "shape": "hv" if series.kind == "steps" else "linear",
    }
    return {"type": "scatter", **common, "mode": "lines", "line": line, "opacity": 1.0 if series.strong else 0.7}


def _interval(series: Series) -> dict[str, Any]:
    up = [high - x if math.isfinite(high) else None for high, x in zip(series.high, series.x, strict=True)]
    down = [x - low if math.isfinite(low) else None for low, x in zip(series.low, series.x, strict=True)]
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "thickness": 2, "width": 6}


def _rounded(values: tuple[float, ...]) -> list[float | int | None]:
    rounded: list[float | int | None] = []
    for value in values:
        short = float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
        rounded.append(int(value) if math.isfinite(value) and value == int(value) and abs(value) < 2**53 else short)
    return rounded


def coordinates(chart: Parallel) -> dict[str, Any]:
    """Parallel coordinates for page/parallel.js."""
    dimensions = [
        {
            "title": each.title,
            "range": each.reach,
            "values": [float(f"{value:.6g}") for value in each.placed],
            "ticks": each.ticks,
            "log": each.log,
            "choice": each.choice,
        }
        for each in chart.dimensions
    ]
    return {"trials": chart.trials, "shade": [round(each, 3) for each in chart.shade], "dimensions": dimensions}


def _parallel(chart: Parallel) -> go.Figure:
    import plotly.graph_objects as go

    dimensions = [
        {
            "label": each.title,
            "range": list(each.reach),
            "values": list(each.placed),
            "tickvals": [at for at, _ in each.ticks],
            "ticktext": [text for _, text in each.ticks],
        }
        for each in chart.dimensions
    ]
    line = {"color": list(chart.shade), "colorscale": SCALE, "cmin": -0.25, "cmax": 1.0}
    drawn = go.Figure(go.Parcoords(dimensions=dimensions, line=line, labelangle=-20, labelside="bottom"))
    drawn.update_layout(height=480, margin={"l": 110, "r": 60, "t": 24, "b": 110}, template="none")
    return drawn
