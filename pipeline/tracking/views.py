"""The saved view that MLflow's page on a sweep opens with: the trials by rank, their columns, and the charts.

MLflow keeps such a view in a tag of the experiment; the keys are those of its own page (version 3.17), which passes
over what it does not know.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import Any
from urllib.parse import urlencode

from pipeline.metrics.catalogue import METRICS
from pipeline.state import SweepState

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
        "orderByAsc": METRICS[metric].minimise,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "selectedColumns": columns,
        "columnOrder": columns,
        "runsHiddenMode": "FIRST_20_RUNS",
        "compareRunCharts": _charts(metric, params),
        "compareRunSections": [_section("Objective"), _section("Samples"), _section("Model metrics")],
        "isAccordionReordered": True,
    }
    made = round(state.started * 1000)
    name = f"Trials by {metric}"
    return json.dumps({"name": name, "createdAt": made, "updatedAt": made, "state": json.dumps(view)})


def searched(state: SweepState) -> list[str]:
    """The searched parameters, those that most trials have first."""
    counts: dict[str, int] = {}
    for trial in state.trials.values():
        for name in trial.params:
            counts[name] = counts.get(name, 0) + 1
    return sorted(counts, key=lambda name: -counts[name])


def _at(kind: str, name: str) -> str:
    return f"{kind}.`{name}`"


def _charts(metric: str, params: list[str]) -> list[dict[str, Any]]:
    line: dict[str, Any] = {"metricKey": metric, "selectedMetricKeys": [metric], "scaleType": "log", "xAxisKey": "step"}
    line |= {"useGlobalXaxisKey": False, "lineSmoothness": 0, "useGlobalLineSmoothing": False}
    axes = {"selectedParams": params[:SHOWN], "selectedMetrics": [f"tail.{metric}"], "showAllRuns": True}
    return [
        _chart("LINE", "Objective", f"{metric} by images", **line, xAxisScaleType="linear"),
        _chart("BAR", "Objective", f"tail.{metric}", metricKey=f"tail.{metric}", runsCountToCompare=20),
        _chart("PARALLEL", "Objective", "What was searched", **axes, runsCountToCompare=100),
        _chart("IMAGE", "Samples", "Samples", imageKeys=["samples"], step=0, showRunParams=False),
    ]


def _chart(kind: str, section: str, title: str, **more: Any) -> dict[str, Any]:
    fixed = {"uuid": _uuid(kind + title), "type": kind, "metricSectionId": _uuid(section), "displayName": title}
    return {"runsCountToCompare": 20, "deleted": False, "isGenerated": False, **fixed, **more}


def _section(name: str) -> dict[str, Any]:
    fixed = {"uuid": _uuid(name), "name": name, "display": True}
    return {**fixed, "isReordered": True, "deleted": False, "isGenerated": False}


def _uuid(name: str) -> str:
    return re.sub("-", "", str(uuid.uuid5(uuid.NAMESPACE_URL, name)))
