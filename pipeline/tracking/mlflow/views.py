"""The saved view that MLflow's page on a sweep opens with: the trials by rank, their columns, and the charts.

MLflow keeps such a view in a tag of the experiment; the keys are those of its own page (version 3.17), which passes
over what it does not know.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from pipeline.record.state import SweepState

VIEW = "gansweep"
TAG = f"mlflow.sharedViewState.{VIEW}"
SHOWN = 6  # searched parameters with a column and an axis of their own


def page(server: str, experiment: str | None, charts: bool = False) -> str:
    """The address of the trials of a sweep by rank, or of their charts; without an experiment that of all sweeps."""
    if experiment is None:
        return f"{server.rstrip('/')}/#/experiments?{urlencode({'workflowType': 'machine_learning'})}"
    query = {"viewStateShareKey": VIEW, "workflowType": "machine_learning"}
    query |= {"compareRunsMode": "CHART"} if charts else {}
    return f"{server.rstrip('/')}/#/experiments/{experiment}/runs?{urlencode(query)}"


def compare_page(server: str, experiment: str, runs: Sequence[str]) -> str:
    """The address of MLflow's page that compares runs."""
    query = {"runs": json.dumps(list(runs)), "experiments": json.dumps([experiment])}
    return f"{server.rstrip('/')}/#/compare-runs?{urlencode(query, quote_via=quote)}"


def saved_view(state: SweepState) -> str:
    """The value of the tag TAG."""
    metric = state.metric
    params = searched(state)
    columns = [_at("tags", "end_reason"), _at("metrics", f"tail.{metric}"), _at("metrics", f"best.{metric}")]
    columns += [_at("metrics", "best.images"), *(_at("params", name) for name in params[:SHOWN])]
    columns.append(_at("tags", "evidence"))
    view = {
        "searchFilter": "tags.`gansweep.kind` != 'seed'",
        "orderByKey": _at("metrics", f"tail.{metric}"),
        "orderByAsc": state.known.minimise,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "selectedColumns": columns,
        "columnOrder": columns,
        "runsHiddenMode": "FIRST_20_RUNS",
        "compareRunCharts": _charts(state, params),
        "compareRunSections": [
            _section("Objective", columns=2),
            _section("Search", columns=1),
            _section("Samples", columns=1, cardHeight=600),
            _section("Model metrics", columns=3),
        ],
        "isAccordionReordered": True,
    }
    made = round(state.started * 1000)
    name = f"Trials by {metric}"
    return json.dumps({"name": name, "createdAt": made, "updatedAt": made, "state": json.dumps(view)})


def searched(state: SweepState) -> list[str]:
    """The searched parameters: those first that most trials have, and of these the ones with the most values."""
    values: dict[str, list[str]] = {}
    for trial in state.trials.values():
        for name, value in trial.params.items():
            values.setdefault(name, []).append(str(value))
    return sorted(values, key=lambda name: (-len(values[name]), -len(set(values[name]))))


def _at(kind: str, name: str) -> str:
    return f"{kind}.`{name}`"


def _charts(state: SweepState, params: list[str]) -> list[dict[str, Any]]:
    metric = state.metric
    scale = "log" if state.known.floored else "linear"  # a distance above its floor is never 0
    line = {"metricKey": metric, "selectedMetricKeys": [metric], "scaleType": scale, "xAxisScaleType": "linear"}
    step: dict[str, Any] = {"xAxisKey": "step", "useGlobalXaxisKey": False}
    step |= {"lineSmoothness": 0, "useGlobalLineSmoothing": False}
    axes = {"selectedParams": params[:SHOWN], "selectedMetrics": [f"tail.{metric}"], "showAllRuns": True}
    reached = [run.images for run in state.runs if run.images]
    step_shown = sorted(reached)[len(reached) // 4] if reached else 0  # 3 of 4 runs got there
    return [
        _chart("LINE", "Objective", f"{metric} by images", **line, **step),
        _chart("BAR", "Objective", f"tail.{metric}", metricKey=f"tail.{metric}"),
        _chart("PARALLEL", "Search", "What was searched", **axes),
        _chart("IMAGE", "Samples", "Samples", imageKeys=["samples"], step=step_shown, showRunParams=False),
    ]


def _chart(kind: str, section: str, title: str, **more: Any) -> dict[str, Any]:
    fixed = {"uuid": _uuid(kind + title), "type": kind, "metricSectionId": _uuid(section), "displayName": title}
    return {"runsCountToCompare": 20, "deleted": False, "isGenerated": False, **fixed, **more}


def _section(name: str, **more: Any) -> dict[str, Any]:
    fixed = {"uuid": _uuid(name), "name": name, "display": True}
    return {"isReordered": True, "deleted": False, "isGenerated": False, **fixed, **more}


def _uuid(name: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, name).hex
