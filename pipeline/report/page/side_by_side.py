"""Writes sweeps side by side as one HTML page, which asks nothing of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.record.state import SweepState
from pipeline.report.charts.chart import COLOURS, SWEEPS, Chart
from pipeline.report.charts.runs import budget_curve
from pipeline.report.charts.sweeps import fates_chart, progress_chart, scores_chart
from pipeline.report.compare import Comparison, Sweep, headline, rows, words
from pipeline.report.numbers import clock, number
from pipeline.report.page import pictures
from pipeline.report.page.page import rendered, save
from pipeline.report.verdict import span
from pipeline.schema.features import measured_in


@dataclass(frozen=True)
class Card:
    """A sweep in short. place: in the ranking, from 1; None where there is none."""

    name: str
    state: str
    colour: str
    place: int | None
    what: str
    value: str
    more: str
    facts: tuple[tuple[str, str], ...]
    strip: pictures.Strip | None


def write(comparison: Comparison, states: Sequence[SweepState], path: Path) -> None:
    """Writes the page of what compare() found in these states. Raises InputError where `path` cannot be written."""
    save(html(comparison, states), path)


def html(comparison: Comparison, states: Sequence[SweepState]) -> str:
    """The page as text."""
    drawn = _charts(comparison, states)
    return rendered(
        "compare.html",
        drawn,
        {
            "title": " and ".join(each.name for each in comparison.sweeps)
            if len(comparison.sweeps) < 4
            else "sweeps compared",
            "headline": headline(comparison),
            "ranked": bool(comparison.order),
            "said": words(comparison).removeprefix("they cannot be ranked: "),
            "cards": [_card(comparison, at, state) for at, state in enumerate(states)],
            "rows": rows(comparison.sweeps),
            "params": _written(comparison.params),
            "differs": _written(comparison.differs),
            "alone": [chart for chart in drawn if chart.name.startswith("alone-")],
        },
    )


def _charts(comparison: Comparison, states: Sequence[SweepState]) -> list[Chart]:
    """Scores on one axis where they are of one kind, else each on its own."""
    if comparison.comparable:
        drawn = [scores_chart(comparison.sweeps, states), progress_chart(states)]
    else:
        drawn = [
            _alone(at, each, state) for at, (each, state) in enumerate(zip(comparison.sweeps, states, strict=True))
        ]
    return [chart for chart in (*drawn, fates_chart(states)) if any(series.x for series in chart.series)]


def _alone(at: int, each: Sweep, state: SweepState) -> Chart:
    measured = each.metric + measured_in(each.features)
    return replace(budget_curve(state), name=f"alone-{at}", title=each.name, about=measured)


def _card(comparison: Comparison, at: int, state: SweepState) -> Card:
    each = comparison.sweeps[at]
    trial = each.confirmed_trial if each.confirmed is not None else each.best_trial
    assert state.folder is not None
    strips = pictures.strips(state, state.folder, [trial]) if trial is not None else []
    return Card(
        name=each.name,
        state=each.state,
        colour=COLOURS[SWEEPS[at % len(SWEEPS)]],
        place=_place(comparison, each),
        **_score(each),
        facts=(
            ("trials", str(each.trials)),
            ("failed runs", f"{sum(each.failures.values())} of {each.ended}"),
            ("cost", f"{each.hours:.2g} {'GPU' if each.gpu else 'core'}-hours"),
            ("time", clock(each.seconds)),
        ),
        strip=strips[0] if strips else None,
    )


def _place(comparison: Comparison, each: Sweep) -> int | None:
    """In the ranking; of equal ones the same."""
    scores = [comparison.score(comparison.of(name)) for name in comparison.order]
    return scores.index(comparison.score(each)) + 1 if each.name in comparison.order else None


def _score(each: Sweep) -> dict[str, str]:
    measured = each.metric + measured_in(each.features)
    if each.confirmed is not None:
        sure = f"95%: {span(each.interval)}; {each.healthy_seeds} fresh seeds healthy"
        what = f"{measured}, trial {each.confirmed_trial}, confirmed on the test part"
        return {"what": what, "value": number(each.confirmed), "more": sure}
    if each.best is not None:
        what = f"{measured}, trial {each.best_trial}, the search's best"
        return {"what": what, "value": number(each.best), "more": "not confirmed on fresh seeds"}
    return {"what": measured, "value": "–", "more": "no completed trial"}


def _written(differing: dict[str, tuple[Any, ...]]) -> dict[str, list[str]]:
    return {key: [number(value) for value in values] for key, values in differing.items()}
