"""All charts of a sweep, in the order in which a report shows them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.judging.judgement import Judgement, judgement
from pipeline.picking.verdict import standing
from pipeline.record.state import SweepState
from pipeline.report.charts.chart import Chart, Parallel
from pipeline.report.charts.finalists import finalists_chart, judged_chart
from pipeline.report.charts.runs import budget_curve, ends_over_budget, learning_curves
from pipeline.report.charts.space import importance_chart, parallel, slices
from pipeline.space.load import recorded_space
from pipeline.space.tree import Space


def charts(state: SweepState, folder: Path | None = None) -> list[Chart | Parallel]:
    """Those that have something to show; none where no trial has a score. folder: of the sweep, where the state does
    not know it."""
    if not state.ranking():
        return []
    space, where = recorded_space(state.space, state.source), folder or state.folder
    drawn = list(_charts(state, space, judgement(where) if where else None))
    return [chart for chart in drawn if isinstance(chart, Parallel) or any(series.x for series in chart.series)]


def _charts(state: SweepState, space: Space, judged: Judgement | None) -> Iterator[Chart | Parallel]:
    from pipeline.search.importance import EVALUATOR, importances  # optuna takes a second

    picked = standing(state)
    if picked is not None:
        yield finalists_chart(state, picked)
    if judged is not None:
        yield judged_chart(judged)
    yield ends_over_budget(state)
    yield learning_curves(state, picked.best.trial if picked else None)
    all_at_once = parallel(state, space)
    if all_at_once.trials:
        yield all_at_once
    if shares := importances(state, space):
        yield importance_chart(shares, EVALUATOR, space)
    yield from slices(state, space)
    yield budget_curve(state)


def figures(state: SweepState) -> dict[str, Any]:
    """The figures of a sweep by name, as plotly's: `figures(sweep.state())["budget"]` is shown by a notebook."""
    from pipeline.report.charts.interactive import figure  # plotly takes a second

    return {chart.name: figure(chart) for chart in charts(state)}


def save_figures(state: SweepState, folder: Path) -> list[Path]:
    """Writes each figure into the folder, as SVG and as PNG, and says where. Raises InputError where no trial has a
    score, or the folder cannot be written."""
    from pipeline.report.charts.printed import save

    if not state.ranking():
        raise InputError(
            f"{state.name}: no trial has a score yet, there is nothing to draw; its state: {state.command('status')}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [path for chart in charts(state) for path in save(chart, folder)]
    except OSError as error:
        raise InputError(f"--figures: found {folder}: {error.strerror}; valid: a folder that can be written") from None
